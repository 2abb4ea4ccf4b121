/* Fuzz target: the text form of graphs. What parses prints, and what was printed parses to a graph
 * that prints the same. */
#include <stdlib.h>
#include <string.h>

#include "ir/text.h"
#include "ops/ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char weights[256];

static hone_graph *parse(const char *text, size_t size) {
  hone_graph *graph = NULL;
  hone_status_free(
      hone_graph_parse(text, size, hone_op_find, (hone_bytes){weights, sizeof weights}, &graph));
  return graph;
}

static hone_text print(const hone_graph *graph) {
  hone_text text = {0};
  hone_status *status = hone_graph_print(graph, SIZE_MAX, NULL, NULL, &text);
  if (status) abort();
  return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  hone_graph *graph = parse((const char *)data, size);
  if (!graph) return 0;
  hone_text first = print(graph);
  hone_graph *again = parse(first.data, first.size);
  if (!again) abort();
  hone_text second = print(again);
  if (first.size != second.size || memcmp(first.data, second.data, first.size) != 0) abort();
  hone_text_free(&first);
  hone_text_free(&second);
  hone_graph_free(again);
  hone_graph_free(graph);
  return 0;
}
