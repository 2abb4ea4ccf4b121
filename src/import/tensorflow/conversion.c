/* A GraphDef on its way to one with engines: the segments, what crosses into and out of each, and
 * what became of them. Room: import. */
#include "import/tensorflow/conversion.h"

#include <stdlib.h>
#include <string.h>

/* ---- Segments ---- */

/* Nodes that only hand on do not count when a segment is held against a least size, nor do constants of
 * loops and conditionals. */
static bool counts(const tf_node *node) {
  static const char *const idle[] = {"Identity", "IdentityN", "Snapshot", "StopGradient", "Const"};
  for (size_t i = 0; i < sizeof idle / sizeof *idle; i++)
    if (tf_span_is(node->op, idle[i])) return false;
  return true;
}

/* Each group becomes a segment, those found first in front; verdicts say which. */
static hone_status *collect_groups(hone_conversion *c) {
  int node_count = c->body->node_count;
  hone_arena *scratch = &c->importer.scratch;
  int *found = HONE_NEW_ARRAY(scratch, node_count + 1, int); /* by root: 1 + its segment */
  c->segments = HONE_NEW_ARRAY(scratch, node_count + 1, tf_segment);
  if (!found || !c->segments) return hone_error_memory();
  for (int i = 0; i < node_count; i++) {
    tf_verdict *v = &c->verdicts[i];
    if (!v->taken || v->constant) continue;
    int *at = &found[tf_group_of(c, i)];
    if (!*at) *at = ++c->segment_count;
    tf_segment *segment = &c->segments[*at - 1];
    segment->node_count++;
    segment->size += counts(&c->body->nodes[i]);
    v->segment = *at;
  }
  return NULL;
}

hone_status *tf_find_owners(hone_conversion *c, int **out) {
  int node_count = c->body->node_count;
  int *owners = HONE_NEW_ARRAY(&c->importer.scratch, node_count + 1, int);
  HONE_TRY_MEMORY(owners);
  for (int i = 0; i < node_count; i++) {
    const tf_node *node = &c->body->nodes[i];
    int user = c->verdicts[i].segment ? c->verdicts[i].segment : -1;
    for (int k = 0; k < node->input_count + node->control_count; k++) {
      int *owner = &owners[node->inputs[k].node];
      *owner = *owner && *owner != user ? -1 : user;
    }
  }
  for (int i = 0; i < node_count; i++)
    if (owners[i] < 0 || c->fetched[i] || c->verdicts[i].kept ||
        !tf_span_is(c->body->nodes[i].op, "Const"))
      owners[i] = 0;
  *out = owners;
  return NULL;
}

static hone_status *add_constants(hone_conversion *c) {
  int *owners;
  HONE_TRY(tf_find_owners(c, &owners));
  for (int i = 0; i < c->body->node_count; i++)
    if (owners[i]) c->segments[owners[i] - 1].size++;
  return NULL;
}

static int by_size(const void *a, const void *b) {
  const tf_segment *x = a, *y = b;
  if (x->size != y->size) return x->size > y->size ? -1 : 1;
  return x->nodes < y->nodes ? -1 : 1; /* which lie in the order that they were found in */
}

/* The nodes of each, in order; then the largest segments first. */
static hone_status *list_nodes(hone_conversion *c) {
  int node_count = c->body->node_count;
  int *room = HONE_NEW_ARRAY(&c->importer.scratch, node_count + 1, int);
  HONE_TRY_MEMORY(room);
  for (int i = 0; i < c->segment_count; i++) {
    c->segments[i].nodes = room;
    room += c->segments[i].node_count;
    c->segments[i].node_count = 0;
  }
  for (int i = 0; i < node_count; i++) {
    int index = c->order[i], of = c->verdicts[index].segment - 1;
    if (of >= 0) c->segments[of].nodes[c->segments[of].node_count++] = index;
  }
  qsort(c->segments, (size_t)c->segment_count, sizeof *c->segments, by_size);
  for (int i = 0; i < c->segment_count; i++)
    for (int k = 0; k < c->segments[i].node_count; k++)
      c->verdicts[c->segments[i].nodes[k]].segment = i + 1;
  return NULL;
}

static void leave(hone_conversion *c, int segment, const char *reason) {
  tf_segment *left = &c->segments[segment];
  left->left = true;
  for (int i = 0; i < left->node_count; i++) {
    c->verdicts[left->nodes[i]].segment = 0;
    c->verdicts[left->nodes[i]].why = reason;
  }
}

/* Those that are too small, and those that there are too many of, are left out of the list. */
static hone_status *choose(hone_conversion *c, const hone_conversion_options *options) {
  size_t least = options->least_nodes ? options->least_nodes : 1;
  int kept = 0;
  for (int i = 0; i < c->segment_count; i++) {
    bool small = (size_t)c->segments[i].size < least;
    bool late = options->most_segments && (size_t)kept >= options->most_segments;
    hone_text reason = {0};
    if (!small && !late) {
      kept++;
      continue;
    }
    if (small)
      hone_text_printf(&reason, "its segment has fewer than %zu nodes", least);
    else
      hone_text_printf(&reason, "%zu segments are larger", options->most_segments);
    const char *text =
        reason.data ? hone_arena_text(&c->importer.scratch, reason.data, reason.size) : NULL;
    hone_text_free(&reason);
    HONE_TRY_MEMORY(text);
    leave(c, i, text);
  }
  c->segment_count = kept; /* the largest stand in front */
  return NULL;
}

/* ---- What crosses ---- */

/* Edges without repetition, in the order they are met. */
typedef struct edge_set {
  tf_edge *edges;
  int count, room;
} edge_set;

static hone_status *add_edge(hone_conversion *c, edge_set *set, tf_edge edge) {
  for (int i = 0; i < set->count; i++)
    if (tf_edges_equal(set->edges[i], edge)) return NULL;
  if (set->count == set->room) {
    int room = 2 * set->room + 8;
    tf_edge *grown = HONE_NEW_ARRAY(&c->importer.scratch, room, tf_edge);
    HONE_TRY_MEMORY(grown);
    if (set->count) memcpy(grown, set->edges, (size_t)set->count * sizeof *grown);
    set->edges = grown;
    set->room = room;
  }
  set->edges[set->count++] = edge;
  return NULL;
}

/* One walk over the graph's edges for all segments. */
static hone_status *find_crossings(hone_conversion *c, edge_set *in, edge_set *out) {
  for (int i = 0; i < c->body->node_count; i++) {
    const tf_node *node = &c->body->nodes[i];
    int to = c->verdicts[i].segment;
    for (int k = 0; k < node->input_count; k++) {
      tf_edge edge = node->inputs[k];
      const tf_verdict *from = &c->verdicts[edge.node];
      if (from->segment == to) continue;
      bool constant = from->constant || tf_span_is(c->body->nodes[edge.node].op, "Const");
      if (to && (from->kept || !constant))
        HONE_TRY(add_edge(c, &in[to - 1], edge));
      if (from->segment) HONE_TRY(add_edge(c, &out[from->segment - 1], edge));
    }
  }
  for (int i = 0; i < c->body->node_count; i++)
    for (int k = 0; c->verdicts[i].segment && k < c->fetched[i]; k++)
      HONE_TRY(add_edge(c, &out[c->verdicts[i].segment - 1], (tf_edge){i, k}));
  return NULL;
}

/* The options of a segment's model. */
static hone_status *name_ports(hone_conversion *c, tf_segment *segment) {
  hone_text in = {0}, out = {0};
  for (int i = 0; i < segment->input_count; i++)
    hone_text_printf(&in, "%sin_%d=%s%d", i ? "," : "", i, c->stem, i);
  for (int i = 0; i < segment->output_count; i++) {
    hone_bytes name = c->body->nodes[segment->outputs[i].node].name;
    hone_text_printf(&out, "%sout_%d=%.*s:%d", i ? "," : "", i, (int)name.size,
                     (const char *)name.data, segment->outputs[i].output);
  }
  hone_status *status = hone_text_status(&in);
  if (!status) status = hone_text_status(&out);
  if (!status) {
    segment->input_ports = hone_arena_text(&c->importer.scratch, in.data ? in.data : "", in.size);
    segment->output_ports =
        hone_arena_text(&c->importer.scratch, out.data ? out.data : "", out.size);
    if (!segment->input_ports || !segment->output_ports) status = hone_error_memory();
  }
  hone_text_free(&in);
  hone_text_free(&out);
  return status;
}

static hone_status *find_ports(hone_conversion *c) {
  edge_set *in = HONE_NEW_ARRAY(&c->importer.scratch, c->segment_count + 1, edge_set);
  edge_set *out = HONE_NEW_ARRAY(&c->importer.scratch, c->segment_count + 1, edge_set);
  if (!in || !out) return hone_error_memory();
  HONE_TRY(find_crossings(c, in, out));
  for (int i = 0; i < c->segment_count; i++) {
    tf_segment *segment = &c->segments[i];
    segment->inputs = in[i].edges;
    segment->input_count = in[i].count;
    segment->outputs = out[i].edges;
    segment->output_count = out[i].count;
    if (!segment->input_count || !segment->output_count)
      leave(c, i, "nothing goes into its segment, or nothing comes out");
    else
      HONE_TRY(name_ports(c, segment));
  }
  return NULL;
}

/* ---- Names ---- */

static hone_status *name_segments(hone_conversion *c, const char *prefix) {
  for (int i = 0; i < c->segment_count; i++) {
    hone_text name = {0};
    hone_text_printf(&name, "%s_%03d", prefix, i);
    c->segments[i].name =
        name.data ? hone_arena_text(&c->importer.scratch, name.data, name.size) : NULL;
    hone_text_free(&name);
    HONE_TRY_MEMORY(c->segments[i].name);
  }
  return NULL;
}

/* "in_", or longer where nodes of the graph begin so. */
static hone_status *find_stem(hone_conversion *c) {
  char stem[16] = "in_";
  bool clear = false;
  for (size_t size = strlen(stem); !clear && size + 1 < sizeof stem; size++) {
    clear = true;
    for (int i = 0; clear && i < c->body->node_count; i++) {
      hone_bytes name = c->body->nodes[i].name;
      clear = name.size < size || memcmp(name.data, stem, size) != 0;
    }
    if (!clear) stem[size] = '_'; /* zeros follow */
  }
  c->stem = hone_arena_text(&c->importer.scratch, stem, strlen(stem));
  return c->stem ? NULL : hone_error_memory();
}

/* What callers ask for by name; a name that the graph does not have is no error here. */
static hone_status *find_fetched(hone_conversion *c, const char *list) {
  c->fetched = HONE_NEW_ARRAY(&c->importer.scratch, c->body->node_count + 1, int);
  HONE_TRY_MEMORY(c->fetched);
  while (list && *list) {
    size_t size = strcspn(list, ",");
    tf_edge edge;
    hone_status *status = tf_parse_edge(c->body, (hone_bytes){list, size}, &edge);
    if (!status && edge.output >= c->fetched[edge.node]) c->fetched[edge.node] = edge.output + 1;
    if (hone_status_code(status) == HONE_OUT_OF_MEMORY) return status;
    hone_status_free(status);
    list += size + (list[size] == ',');
  }
  return NULL;
}

/* ---- Opening ---- */

static hone_status *open_conversion(hone_conversion *c, const hone_conversion_options *options) {
  tf_importer *importer = &c->importer;
  HONE_TRY(tf_importer_open(importer, &c->source, tf_graph_def_schema));
  tf_body *body = HONE_NEW(&importer->scratch, tf_body);
  HONE_TRY_MEMORY(body);
  HONE_TRY(hone_map_put(&importer->bodies, "", 0, body));
  HONE_TRY(tf_read_graph_def(&importer->reader, importer->file, &c->graph));
  HONE_TRY(tf_read_library(importer, c->graph.library));
  HONE_TRY(tf_read_graph_body(importer, &c->graph, body));
  c->body = body;
  HONE_TRY(tf_scope_open(&c->scope, importer, body, importer->root));
  HONE_TRY(find_fetched(c, options->outputs));
  HONE_TRY(tf_find_groups(c, options));
  HONE_TRY(find_stem(c));
  HONE_TRY(collect_groups(c));
  if (options->like_tf_trt) HONE_TRY(add_constants(c));
  HONE_TRY(list_nodes(c));
  HONE_TRY(choose(c, options));
  HONE_TRY(name_segments(c, options->prefix ? options->prefix : "HoneEngine"));
  return find_ports(c);
}

hone_status *hone_conversion_new(hone_bytes graph_def, const hone_conversion_options *options,
                                 hone_conversion **out) {
  hone_conversion *c = hone_alloc_zero(sizeof *c);
  HONE_TRY_MEMORY(c);
  c->source = (hone_model_source){.bytes = graph_def,
                                  .format = "graph_def",
                                  .inputs = "",
                                  .outputs = "",
                                  .signature = "",
                                  .tags = ""};
  hone_status *status = open_conversion(c, options);
  if (status)
    hone_conversion_free(c);
  else
    *out = c;
  return status;
}

void hone_conversion_free(hone_conversion *c) {
  if (!c) return;
  hone_graph_free(c->importer.root);
  tf_importer_close(&c->importer);
  hone_free(c);
}

/* ---- Changing and asking ---- */

size_t hone_conversion_segment_count(const hone_conversion *c) {
  return (size_t)c->segment_count;
}

static hone_status *check_segment(const hone_conversion *c, size_t segment) {
  if (segment >= (size_t)c->segment_count)
    return hone_error(HONE_INVALID_ARGUMENT, "there is no segment %zu", segment);
  return NULL;
}

hone_status *hone_conversion_leave(hone_conversion *c, size_t segment, const char *reason) {
  HONE_TRY(check_segment(c, segment));
  const char *kept = hone_arena_text(&c->importer.scratch, reason, strlen(reason));
  HONE_TRY_MEMORY(kept);
  leave(c, (int)segment, kept);
  return NULL;
}

hone_status *hone_conversion_place(hone_conversion *c, size_t segment, const char *path,
                                   hone_bytes bytes) {
  HONE_TRY(check_segment(c, segment));
  const char *kept = path ? hone_arena_text(&c->importer.scratch, path, strlen(path)) : NULL;
  if (path) HONE_TRY_MEMORY(kept);
  c->segments[segment].path = kept;
  c->segments[segment].bytes = bytes;
  return NULL;
}

hone_status *hone_conversion_model(hone_conversion *c, size_t segment, hone_segment_model *out) {
  hone_text text = {0};
  HONE_TRY(check_segment(c, segment));
  const tf_segment *of = &c->segments[segment];
  if (!of->input_ports)
    return hone_error(HONE_INVALID_ARGUMENT, "segment %zu has no inputs or no outputs", segment);
  hone_status *status = tf_write_model(c, of, &text);
  if (status) {
    hone_text_free(&text);
    return status;
  }
  *out = (hone_segment_model){of->name, of->input_ports, of->output_ports, text.data, text.size};
  return NULL;
}

hone_status *hone_conversion_result(hone_conversion *c, const hone_engine_nodes *nodes, char **out,
                                    size_t *size) {
  hone_text text = {0};
  hone_status *status = tf_write_result(c, nodes, &text);
  if (status) {
    hone_text_free(&text);
    return status;
  }
  *out = text.data;
  *size = text.size;
  return NULL;
}
