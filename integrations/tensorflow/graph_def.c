/* Reading GraphDefs. */
#include "graph_def.h"

#include <stdlib.h>
#include <string.h>

bool hone_is_text(hone_bytes bytes, const char *text) {
  return bytes.size == strlen(text) && memcmp(bytes.data ? bytes.data : "", text, bytes.size) == 0;
}

static hone_bytes content(const hone_wire_field *field) {
  return (hone_bytes){field->bytes, field->size};
}

/* ---- Names ---- */

static int compare_bytes(hone_bytes a, hone_bytes b) {
  size_t size = a.size < b.size ? a.size : b.size;
  int order = size ? memcmp(a.data, b.data, size) : 0;
  return order ? order : (a.size > b.size) - (a.size < b.size);
}

typedef struct named {
  hone_bytes name;
  int node;
} named;

static int compare_named(const void *a, const void *b) {
  return compare_bytes(((const named *)a)->name, ((const named *)b)->name);
}

static bool sort_names(hone_graph_def *graph) {
  size_t count = (size_t)graph->node_count;
  named *names = calloc(count + 1, sizeof *names);
  graph->by_name = calloc(count + 1, sizeof *graph->by_name);
  if (!names || !graph->by_name) {
    free(names);
    return false;
  }
  for (size_t i = 0; i < count; i++) names[i] = (named){graph->nodes[i].name, (int)i};
  qsort(names, count, sizeof *names, compare_named);
  for (size_t i = 0; i < count; i++) graph->by_name[i] = names[i].node;
  free(names);
  return true;
}

int hone_find_node(const hone_graph_def *graph, hone_bytes name) {
  int low = 0, high = graph->node_count;
  while (low < high) {
    int middle = low + (high - low) / 2;
    int order = compare_bytes(graph->nodes[graph->by_name[middle]].name, name);
    if (order == 0) return graph->by_name[middle];
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return -1;
}

/* ---- Nodes ---- */

static bool read_node(hone_bytes body, hone_node *node) {
  const char *at = body.data, *end = at + body.size;
  hone_wire_field field;
  node->body = body;
  while (hone_read_field(&at, end, &field)) {
    if (!field.bytes) continue;
    if (field.number == 1) node->name = content(&field);
    if (field.number == 2) node->op = content(&field);
    if (field.number == 3) node->input_count++;
    if (field.number == 4) node->device = content(&field);
  }
  return at == end;
}

/* "^node", "node" or "node:1". */
static hone_edge read_edge(const hone_graph_def *graph, hone_bytes text) {
  const char *data = text.data;
  hone_edge edge = {-1, 0};
  size_t size = text.size, scale = 1, digits = 0;
  if (size && data[0] == '^')
    return (hone_edge){hone_find_node(graph, (hone_bytes){data + 1, size - 1}), -1};
  while (size && data[size - 1] >= '0' && data[size - 1] <= '9' && digits < 7) {
    edge.output += (int)scale * (data[--size] - '0');
    scale *= 10;
    digits++;
  }
  bool numbered = digits && size && data[size - 1] == ':';
  if (!numbered) edge.output = 0;
  edge.node = hone_find_node(graph, (hone_bytes){data, numbered ? size - 1 : text.size});
  return edge;
}

static void read_edges(hone_graph_def *graph) {
  hone_edge *next = graph->edges;
  for (int i = 0; i < graph->node_count; i++) {
    hone_node *node = &graph->nodes[i];
    const char *at = node->body.data, *end = at + node->body.size;
    hone_wire_field field;
    node->inputs = next;
    while (hone_read_field(&at, end, &field))
      if (field.number == 3 && field.bytes) *next++ = read_edge(graph, content(&field));
  }
}

static bool read_nodes(hone_graph_def *graph, hone_bytes bytes) {
  const char *at = bytes.data, *end = at + bytes.size;
  hone_wire_field field;
  size_t count = 0, edges = 0;
  while (hone_read_field(&at, end, &field)) count += field.number == 1 && field.bytes;
  if (at != end || count > INT32_MAX / 2) return false;
  graph->nodes = calloc(count + 1, sizeof *graph->nodes);
  if (!graph->nodes) return false;
  at = bytes.data;
  while (hone_read_field(&at, end, &field)) {
    if (field.number != 1 || !field.bytes) continue;
    hone_node *node = &graph->nodes[graph->node_count++];
    if (!read_node(content(&field), node)) return false;
    edges += (size_t)node->input_count;
  }
  graph->edges = calloc(edges + 1, sizeof *graph->edges);
  if (!graph->edges || !sort_names(graph)) return false;
  read_edges(graph);
  return true;
}

bool hone_graph_def_open(hone_graph_def *graph, hone_bytes bytes) {
  *graph = (hone_graph_def){0};
  bool good = bytes.data && read_nodes(graph, bytes);
  if (!good) hone_graph_def_close(graph);
  return good;
}

void hone_graph_def_close(hone_graph_def *graph) {
  free(graph->nodes);
  free(graph->edges);
  free(graph->by_name);
  *graph = (hone_graph_def){0};
}

hone_bytes hone_find_attr(const hone_node *node, const char *name) {
  const char *at = node->body.data, *end = at + node->body.size;
  hone_wire_field field, part;
  while (hone_read_field(&at, end, &field)) {
    if (field.number != 5 || !field.bytes) continue;
    const char *inside = field.bytes, *stop = inside + field.size;
    hone_bytes key = {0}, value = {0};
    while (hone_read_field(&inside, stop, &part)) {
      if (part.number == 1 && part.bytes) key = content(&part);
      if (part.number == 2 && part.bytes) value = content(&part);
    }
    if (hone_is_text(key, name)) return value;
  }
  return (hone_bytes){0};
}

/* ---- Running ---- */

static bool leads_back(const hone_graph_def *graph, const hone_node *node, int from) {
  return (hone_is_text(node->op, "Merge") || hone_is_text(node->op, "RefMerge")) &&
         (hone_is_text(graph->nodes[from].op, "NextIteration") ||
          hone_is_text(graph->nodes[from].op, "RefNextIteration"));
}

bool hone_can_run(const hone_graph_def *graph) {
  size_t count = (size_t)graph->node_count, edges = 0;
  for (size_t i = 0; i < count; i++) edges += (size_t)graph->nodes[i].input_count;
  int *waits = calloc(count + 1, sizeof *waits), *first = calloc(count + 2, sizeof *first);
  int *users = calloc(edges + 1, sizeof *users), *ready = calloc(count + 1, sizeof *ready);
  size_t done = 0, found = 0;
  bool good = waits && first && users && ready;
  /* Who uses a node: users[first[node]] and on. */
  for (int pass = 0; good && pass < 2; pass++) {
    for (size_t i = 0; i < count; i++) {
      const hone_node *node = &graph->nodes[i];
      for (int k = 0; k < node->input_count; k++) {
        int from = node->inputs[k].node;
        if (from < 0) good = false;
        if (from < 0 || leads_back(graph, node, from)) continue;
        if (pass == 0) first[from + 1]++, waits[i]++;
        else users[first[from]++] = (int)i;
      }
    }
    if (pass == 0)
      for (size_t i = 0; i < count; i++) first[i + 1] += first[i];
  }
  for (size_t i = 0; good && i < count; i++)
    if (!waits[i]) ready[found++] = (int)i;
  /* The second pass has moved each start to the next one's. */
  for (; good && done < found; done++) {
    int node = ready[done];
    for (int k = node ? first[node - 1] : 0; k < first[node]; k++)
      if (--waits[users[k]] == 0) ready[found++] = users[k];
  }
  good = good && done == count;
  free(waits);
  free(first);
  free(users);
  free(ready);
  return good;
}
