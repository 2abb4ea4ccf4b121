/* Checking that nothing crosses from the device to the host unseen. Room: ir. */
#include <string.h>

#include "ir/text.h"

/* Sets `*host` to whether the host makes the node's outputs. */
static hone_status *find_place(const hone_node *node, bool *host) {
  int places[2] = {0, 0};
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) places[node->outputs[i]->place]++;
  *host = places[HONE_PLACE_HOST] > 0;
  if (*host && places[HONE_PLACE_DEVICE])
    return hone_error(HONE_INVALID_MODEL, "its outputs lie in two places");
  return NULL;
}

/* Which inputs the host reads, while it makes the outputs or to plan the node. */
static bool host_reads(const hone_node *node, bool host, int index) {
  if (node->op->facts & (HONE_SHAPE_ONLY | HONE_CROSSES)) return false;
  return host || hone_op_host_reads(node->op, index);
}

static hone_status *check_node(const hone_node *node) {
  bool host;
  HONE_TRY(find_place(node, &host));
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *input = node->inputs[i].value;
    char name[80];
    if (hone_value_is_on_device(input) && host_reads(node, host, i))
      return hone_error(HONE_INVALID_MODEL, "input '%s' lies on the device, but the host reads it",
                        hone_quoted(name, sizeof name, input->name, strlen(input->name)));
  }
  for (int i = 0; i < node->region_count; i++)
    HONE_TRY(hone_graph_verify_places(node->regions[i]));
  return NULL;
}

hone_status *hone_graph_verify_places(const hone_graph *graph) {
  for (const hone_node *node = graph->first; node; node = node->next)
    HONE_TRY(hone_error_at(check_node(node), "node '%s' (%s)", hone_node_label(node),
                           node->op->name));
  return NULL;
}
