/* A GraphDef read in place: its nodes, and where their inputs come from. */
#ifndef HONE_TENSORFLOW_GRAPH_DEF_H
#define HONE_TENSORFLOW_GRAPH_DEF_H

#include <hone/types.h>

#include "message.h"

/* An input: output `output` of node `node`, -1 for one that waits only; `node` is -1 where the graph
 * has none of that name. */
typedef struct hone_edge {
  int node, output;
} hone_edge;

typedef struct hone_node {
  hone_bytes name, op, device;
  hone_bytes body; /* the NodeDef */
  hone_edge *inputs;
  int input_count;
} hone_node;

typedef struct hone_graph_def {
  hone_node *nodes;
  int node_count;
  hone_edge *edges; /* of all nodes */
  int *by_name;     /* nodes in the order of their names */
} hone_graph_def;

/* False, with nothing to close, for what is no GraphDef, or without memory. */
bool hone_graph_def_open(hone_graph_def *graph, hone_bytes bytes);
void hone_graph_def_close(hone_graph_def *graph);
/* -1: there is none. */
int hone_find_node(const hone_graph_def *graph, hone_bytes name);
/* Whether every node can run once those it needs have; ways back of loops do not count. */
bool hone_can_run(const hone_graph_def *graph);

bool hone_is_text(hone_bytes bytes, const char *text);
/* The content of an attribute's AttrValue; data NULL: there is none. */
hone_bytes hone_find_attr(const hone_node *node, const char *name);

#endif
