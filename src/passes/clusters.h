/* What becomes a group, while pass fuse_groups finds it. Room: passes. */
#ifndef HONE_PASSES_CLUSTERS_H
#define HONE_PASSES_CLUSTERS_H

#include "passes/passes.h"

/* What a backend can be expected to hold in registers and pointers at once. */
enum { HONE_CLUSTER_NODES = 24, HONE_CLUSTER_INPUTS = 20 };

/* Members in no order; a node's mark says which cluster it is in. */
typedef struct cluster {
  hone_node *nodes[HONE_CLUSTER_NODES];
  int count;       /* of members for sure */
  int tried;       /* of those after them, kept only if a single result is reached again */
  hone_node *last; /* the one that makes the result */
  hone_pass_block *block; /* that it is part of, or NULL */
  int place;              /* there */
  struct cluster *next;
} cluster;

static inline bool hone_cluster_has(const cluster *c, const hone_node *node) {
  return node && node->mark == c;
}

/* A group of each of the graph's clusters, in its last member's place. */
HONE_MUST_USE hone_status *hone_group_clusters(hone_graph *graph, hone_pass_context *context);

#endif
