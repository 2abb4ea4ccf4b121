/* Clusters become groups. Room: passes. */
#include "passes/clusters.h"

#include "base/map.h"
#include "passes/rewrite.h"

/* A group under construction. */
typedef struct making {
  const cluster *members;
  hone_node *group;
  hone_graph *body;
  hone_map values; /* of the graph outside to those of the body */
} making;

/* Values from outside become inputs of the group and of its body. */
static hone_status *capture(making *m, hone_value *value) {
  hone_value *inside;
  if (!value || value->constant || hone_cluster_has(m->members, value->producer)) return NULL;
  if (hone_map_get(&m->values, (const char *)&value, sizeof value)) return NULL;
  HONE_TRY(hone_node_add_input(m->group, value));
  HONE_TRY(hone_graph_input(m->body, value->name, value->type, &inside));
  inside->place = value->place;
  return hone_map_put(&m->values, (const char *)&value, sizeof value, inside);
}

/* The copies keep the names that the originals had, but for the results: the group has those. */
static hone_status *move_names(making *m, hone_node *from, hone_node *to) {
  for (int i = 0; i < from->output_count && from != m->members->last; i++) {
    if (from->outputs[i]) HONE_TRY(hone_take_name(to->outputs[i], from->outputs[i]));
  }
  return NULL;
}

static hone_status *fill_body(making *m) {
  hone_graph *graph = m->group->graph;
  hone_node *copy;
  for (hone_node *node = graph->first; node; node = node->next) {
    if (!hone_cluster_has(m->members, node)) continue;
    for (int i = 0; i < node->input_count; i++) HONE_TRY(capture(m, node->inputs[i].value));
    HONE_TRY(hone_node_copy(node, m->body, NULL, &m->values, &copy));
    HONE_TRY(move_names(m, node, copy));
    HONE_TRY(hone_node_add_sources(m->group, node));
    if (node == m->members->last) break;
  }
  return NULL;
}

/* The last node's outputs leave the body and the group. */
static hone_status *connect(making *m) {
  hone_node *last = m->members->last;
  for (int i = 0; i < last->output_count; i++) {
    hone_value *outside = last->outputs[i], *made;
    if (!outside) continue;
    hone_value *inside = hone_map_get(&m->values, (const char *)&outside, sizeof outside);
    HONE_TRY(hone_graph_output(m->body, inside));
    HONE_TRY(hone_node_add_output(m->group, NULL, outside->type, &made));
    hone_value_replace(outside, made);
    HONE_TRY(hone_take_name(made, outside));
  }
  return NULL;
}

static hone_status *make_group(making *m) {
  hone_node *last = m->members->last;
  HONE_TRY(hone_node_new(last->graph, last, &hone_op_group, NULL, 0, 0, &m->group));
  HONE_TRY(hone_graph_new_region(m->group, "body", &m->body));
  HONE_TRY(fill_body(m));
  HONE_TRY(connect(m));
  hone_remove_unused(last);
  return NULL;
}

/* Clusters are closed from the last to the first node, so that removing one leaves the others'
 * members where they are. */
hone_status *hone_group_clusters(hone_graph *graph, hone_pass_context *context) {
  for (hone_node *node = graph->last, *previous; node; node = previous) {
    const cluster *c = node->mark;
    previous = node->previous;
    if (!c || c->last != node) continue;
    making m = {.members = c};
    hone_status *status = make_group(&m);
    hone_map_free(&m.values);
    HONE_TRY(status);
    if (c->block) c->block->groups[c->place] = m.group;
    hone_pass_fired(context, c->count > 1 ? "group of several" : "group of one");
    previous = m.group->previous;
  }
  return NULL;
}
