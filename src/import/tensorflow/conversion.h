/* What the parts of a conversion share: order.c finds the order and what stands or falls together,
 * segment.c tries nodes, group.c groups them, conversion.c
 * holds what became of each group, describe.c says it, segment_write.c writes segments, graft.c the
 * graph with engines in it, weights_file.c what the functions read apart from it. Room: import. */
#ifndef HONE_IMPORT_TENSORFLOW_CONVERSION_H
#define HONE_IMPORT_TENSORFLOW_CONVERSION_H

#include <hone/tensorflow.h>

#include "base/text.h"
#include "import/tensorflow/importer.h"

typedef struct tf_verdict {
  bool taken;
  bool constant;    /* the same in every run: stands in whatever group uses it */
  bool kept;        /* its name was given as one to stay native: so does a constant's */
  int level, group; /* group: union-find parent */
  int depth;        /* how many loops of single nodes are around it */
  int whole, after; /* what it stands or falls with, known by its first node: itself, where it is
                       alone; and the next member, of a ring */
  bool leaves;      /* its result is one of the whole's */
  int segment;      /* 1 + which it is replaced by; 0: none */
  const char *why;  /* of a node that stays native */
} tf_verdict;

typedef struct tf_segment {
  const char *name;
  int *nodes; /* each after those it needs */
  int node_count, size; /* size: those that count */
  tf_edge *inputs, *outputs;
  int input_count, output_count;
  bool left;          /* it stays native */
  bool reads_weights; /* its function does, from the file of weights; see tf_find_weights */
  const char *path;   /* of the engine, or its bytes; or neither */
  hone_bytes bytes;
  const char *input_ports, *output_ports; /* the model's options */
} tf_segment;

/* A constant in the file of weights. */
typedef struct tf_weight {
  int place; /* 1 + where it stands there; 0: it stays in the functions */
  int type;  /* a DataType */
} tf_weight;

struct hone_conversion {
  tf_importer importer;
  hone_model_source source;
  tf_scope scope;
  tf_graph_def graph;
  const tf_body *body;
  tf_verdict *verdicts; /* by node */
  int *order;           /* nodes, each after those it needs */
  int *latest;          /* scratch of grouping, by node */
  int *fetched;         /* by node: how many of its outputs callers may ask for by name */
  const char *stem;     /* what begins no node's name: placeholders are <stem>0, … */
  tf_segment *segments;
  int segment_count;
  tf_weight *weights;       /* by node; NULL: all stay in the functions */
  const char *weights_name; /* the placeholder and the file that they are read from */
};

/* order.c: the order, and where asked for the wholes, whose members follow each other in it. */
HONE_MUST_USE hone_status *tf_find_order(hone_conversion *c, bool wholes);
/* From now on each of its members is by itself. */
void tf_break_whole(hone_conversion *c, int whole);
/* Whether a node stands or falls with others. */
static inline bool tf_is_whole(const hone_conversion *c, int node) {
  return c->verdicts[node].after != node;
}

/* segment.c: finds verdicts and groups. */
HONE_MUST_USE hone_status *tf_find_groups(hone_conversion *c,
                                          const hone_conversion_options *options);
/* group.c: puts the nodes that are taken into groups; some that make or take lists stay native. */
HONE_MUST_USE hone_status *tf_group_nodes(hone_conversion *c, bool like_tf_trt);
/* contract.c: groups that hang together as TF-TRT's did; nothing is refused. */
HONE_MUST_USE hone_status *tf_contract_groups(hone_conversion *c);
int tf_group_of(const hone_conversion *c, int node);
/* What whoever made the graph wrote down of a node's outputs. */
HONE_MUST_USE hone_status *tf_output_types(hone_conversion *c, const tf_node *node,
                                           tf_attr_list *types, tf_attr_list *shapes);

/* conversion.c: by node, the segment (1 + its place) whose nodes alone use a constant; 0: of other
 * nodes, of constants that callers may ask for, and of those that nobody uses or others do too. */
HONE_MUST_USE hone_status *tf_find_owners(hone_conversion *c, int **out);

/* graph_write.c: what is known of the tensor of an edge: a DataType (0: nothing) and a shape. */
HONE_MUST_USE hone_status *tf_port_type(hone_conversion *c, tf_edge edge, int *type,
                                        hone_shape *shape);

/* segment_write.c */
/* Marks the constants that a segment's nodes use, and those that these are computed from. */
HONE_MUST_USE hone_status *tf_mark_constants(hone_conversion *c, const tf_segment *segment,
                                             bool **out);
int tf_find_edge(const tf_edge *edges, int count, tf_edge edge);
HONE_MUST_USE hone_status *tf_write_model(hone_conversion *c, const tf_segment *segment,
                                          hone_text *out);
/* The function that runs where the engine cannot. */
HONE_MUST_USE hone_status *tf_put_function(hone_conversion *c, const tf_segment *segment,
                                           hone_text *out);

/* graft.c */
HONE_MUST_USE hone_status *tf_write_result(hone_conversion *c, const hone_engine_nodes *nodes,
                                           hone_text *out);

/* weights_file.c */
/* Finds the constants that the functions of segments read from a file called `name`; NULL: none do. */
HONE_MUST_USE hone_status *tf_find_weights(hone_conversion *c, const char *name);
static inline bool tf_reads_weights(const hone_conversion *c, const tf_segment *segment) {
  return c->weights && !segment->left && segment->reads_weights;
}

#endif
