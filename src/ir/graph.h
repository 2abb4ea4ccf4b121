/* The graph: values, nodes, regions. Room: ir.
 *
 * A graph owns everything in it through one arena; what a pass removes is forgotten, not freed,
 * until the graph is. Only the bytes of large constants go before (hone_graph_sweep). Nodes stand
 * in a list that is always a topological order. A node's regions (the bodies of if, loop, scan,
 * group) are graphs of their own that see nothing outside: what a body captures is passed in
 * explicitly, as inputs of the node and of the region.
 *
 * Ownership: hone_graph_new gives, hone_graph_free takes; every other pointer is lent.
 */
#ifndef HONE_IR_GRAPH_H
#define HONE_IR_GRAPH_H

#include "base/map.h"
#include "base/memory.h"
#include "base/status.h"
#include "ir/type.h"

typedef struct hone_graph hone_graph;
typedef struct hone_node hone_node;
typedef struct hone_value hone_value;
typedef struct hone_op hone_op;

/* Where a value lives at run time. Integers that feed shapes, axes, trip counts and branches are
 * HOST: computed at plan time where they can be. What lies on the device comes to the host through a
 * node that says so (HONE_CROSSES) and through nothing else; a device reads constants and what the
 * host made as they are. */
typedef enum hone_place { HONE_PLACE_DEVICE = 0, HONE_PLACE_HOST = 1 } hone_place;

/* One use of a value: an input of a node, or an output of the graph (user NULL). */
typedef struct hone_use {
  hone_value *value;     /* NULL: an absent optional input */
  hone_node *user;
  struct hone_use *previous, *next; /* the value's other uses */
} hone_use;

struct hone_value {
  hone_graph *graph;
  uint32_t id;           /* unique in its graph (a region counts its own), never reused */
  const char *name;      /* the user's, or made up; unique in the root; no rule on characters */
  hone_type type;
  hone_place place;
  hone_node *producer;   /* NULL: a constant, or an input of the graph */
  int index;             /* which output of the producer, or which input of the graph */
  const void *constant;  /* the bytes of a constant, row-major, any alignment; else NULL */
  size_t constant_size;  /* in bytes; for strings, of the hone_string array */
  bool fixed;            /* a constant whose elements decided how the graph was made: replacing
                            them would not change what they decided */
  hone_use *uses;        /* newest first */
};

/* A node's attribute; which member holds is said by the op's schema. */
typedef struct hone_attr {
  bool given;            /* false: the schema's default, which the members hold all the same */
  int64_t integer;       /* INT, FLAG, DTYPE */
  double real;
  const char *text;      /* TEXT and CHOICE; zero-terminated */
  size_t count;          /* of INTS, REALS, TEXTS */
  const int64_t *integers;
  const double *reals;
  const char *const *texts;
} hone_attr;

struct hone_node {
  hone_graph *graph;
  uint32_t id;
  const hone_op *op;
  hone_node *previous, *next;
  int input_count, output_count, region_count, source_count;
  hone_use *inputs;
  hone_value **outputs;  /* an unwanted optional output is NULL */
  hone_attr *attrs;      /* in the order of the op's schema */
  hone_graph **regions;
  const char *const *sources; /* names of the user's nodes that this node came from */
  void *mark;            /* scratch for the pass that runs now; no meaning between passes */
};

struct hone_graph {
  const char *name;
  hone_arena *arena;     /* the root's */
  hone_graph *root;      /* the outermost graph; itself for the root */
  hone_node *owner;      /* the node whose region this is; NULL for the root */
  hone_node *first, *last;
  hone_value **inputs;
  int input_count, input_room;
  hone_use *outputs;
  int output_count, output_room;
  hone_value **constants; /* in order of making; may hold unused ones */
  size_t constant_count, constant_room;
  uint32_t next_id;
  /* Of the root only: */
  const char **symbols;  /* names of unknown dimensions */
  size_t symbol_count, symbol_room;
  hone_map names;        /* of all values, regions included: name to hone_value */
  uint32_t next_name;
  hone_arena storage;
  struct keeper *kept;   /* what the constants' bytes lie in, such as a mapped file */
  struct owned_bytes *owned; /* large constants that passes made */
};

HONE_MUST_USE hone_status *hone_graph_new(const char *name, hone_graph **out);
void hone_graph_free(hone_graph *root); /* NULL allowed */
/* Calls `release(argument)` when the root is freed; several may be added. */
HONE_MUST_USE hone_status *hone_graph_keep(hone_graph *graph, void (*release)(void *),
                                           void *argument);

struct hone_file;
/* Keeps a file that constants lie in; takes the caller's reference, also where it fails. */
HONE_MUST_USE hone_status *hone_graph_keep_file(hone_graph *graph, struct hone_file *file);
/* Lets the system take back the memory that reading those files took; they are read again where
 * somebody needs them. */
void hone_graph_unload(const hone_graph *graph);

/* A graph inside `owner`'s region list, made before the node's other parts are complete. */
HONE_MUST_USE hone_status *hone_graph_new_region(hone_node *owner, const char *name,
                                                 hone_graph **out);
/* A deep copy as a root of its own; constants' bytes are shared, so `graph` must outlive it. */
HONE_MUST_USE hone_status *hone_graph_copy(const hone_graph *graph, hone_graph **out);

/* A copy of `node` at the end of `to`, or before `before`, with its regions. `values` maps the
 * address of each value of the old graph to its stand-in and takes the node's outputs; constants
 * not in it yet are made. `out` may be NULL. */
HONE_MUST_USE hone_status *hone_node_copy(const hone_node *node, hone_graph *to, hone_node *before,
                                          hone_map *values, hone_node **out);
/* Rewrites the symbols of a type of `from`'s root into those of `to`'s. */
HONE_MUST_USE hone_status *hone_type_copy(hone_graph *to, const hone_graph *from, hone_type *type);

/* A symbol: the one with this name, made when new; NULL makes a fresh one of a made-up name. */
HONE_MUST_USE hone_status *hone_graph_symbol(hone_graph *graph, const char *name, hone_dim *out);
const char *hone_graph_symbol_name(const hone_graph *graph, hone_dim symbol);

/* Values. Names are copied; a NULL or taken name is made up or made unique. */
HONE_MUST_USE hone_status *hone_graph_input(hone_graph *graph, const char *name, hone_type type,
                                            hone_value **out);
/* A constant tensor whose bytes stay where they are and outlive the graph. */
HONE_MUST_USE hone_status *hone_graph_constant(hone_graph *graph, const char *name,
                                               hone_dtype dtype, hone_shape shape,
                                               const void *bytes, size_t size, hone_value **out);
/* Memory for a constant's bytes, aligned to 64: it lives as long as the graph, or until a sweep
 * finds no constant in it. Not cleared; NULL without memory. */
void *hone_graph_bytes(hone_graph *graph, size_t size);
/* Gives back such memory of `root` that no constant with a user lies in, and forgets the constants
 * without users that lay there. Between passes only: whoever holds such a constant loses it. */
HONE_MUST_USE hone_status *hone_graph_sweep(hone_graph *root);
/* A constant tensor with a copy of the bytes in the graph's memory (of strings' characters too). */
HONE_MUST_USE hone_status *hone_graph_constant_copy(hone_graph *graph, const char *name,
                                                    hone_dtype dtype, hone_shape shape,
                                                    const void *bytes, size_t size,
                                                    hone_value **out);
HONE_MUST_USE hone_status *hone_graph_ints(hone_graph *graph, const char *name, int rank,
                                           const int64_t *values, size_t count, hone_value **out);
HONE_MUST_USE hone_status *hone_graph_real(hone_graph *graph, const char *name, hone_dtype dtype,
                                           double value, hone_value **out); /* rank 0 */
HONE_MUST_USE hone_status *hone_graph_output(hone_graph *graph, hone_value *value);
void hone_graph_set_output(hone_graph *graph, int index, hone_value *value);
void hone_graph_drop_output(hone_graph *graph, int index);
void hone_graph_drop_input(hone_graph *graph, int index); /* it must have no use */
/* The value of this name anywhere under the root; NULL if none. */
hone_value *hone_graph_find(const hone_graph *graph, const char *name);
HONE_MUST_USE hone_status *hone_value_rename(hone_value *value, const char *name);

/* Nodes: made with default attributes, outputs of no known type, before `before` or at the end.
 * `inputs` may hold NULL for absent ones. The result types are set by hone_node_infer (infer.h)
 * or by the maker. */
HONE_MUST_USE hone_status *hone_node_new(hone_graph *graph, hone_node *before, const hone_op *op,
                                         hone_value *const *inputs, int input_count,
                                         int output_count, hone_node **out);
/* Makes output `index` unwanted; it must have no use. */
void hone_node_drop_output(hone_node *node, int index);
HONE_MUST_USE hone_status *hone_node_add_output(hone_node *node, const char *name,
                                                hone_type type, hone_value **out);
HONE_MUST_USE hone_status *hone_node_add_input(hone_node *node, hone_value *value);
void hone_node_set_input(hone_node *node, int index, hone_value *value);
void hone_node_drop_input(hone_node *node, int index); /* those after it move up */
/* Unlinks a node whose outputs have no use. */
void hone_node_remove(hone_node *node);
/* Moves a node to before `before` (NULL: to the end) of the same graph. */
void hone_node_move(hone_node *node, hone_node *before);
/* The names of `from`'s source nodes are added to `node`'s. */
HONE_MUST_USE hone_status *hone_node_add_sources(hone_node *node, const hone_node *from);
HONE_MUST_USE hone_status *hone_node_add_source(hone_node *node, const char *name);
/* The first source name, or the first output's: what an error or a report calls the node. */
const char *hone_node_label(const hone_node *node);

/* Notes that the elements of a constant were looked at while the graph was made. */
static inline void hone_value_fix(const hone_value *constant) {
  ((hone_value *)(uintptr_t)constant)->fixed = true; /* a note beside the value */
}
/* Every use of `from`, graph outputs included, becomes one of `to`. */
void hone_value_replace(hone_value *from, hone_value *to);
bool hone_value_has_one_use(const hone_value *value);
static inline bool hone_value_is_constant(const hone_value *value) {
  return value && value->constant != NULL;
}
/* Whether it is a tensor in the device's memory, which the host must not read as it is. Constants lie
 * in both; sequences, optionals and strings are always the host's. */
static inline bool hone_value_is_on_device(const hone_value *value) {
  return value && !value->constant && value->place == HONE_PLACE_DEVICE &&
         value->type.kind == HONE_KIND_TENSOR && value->type.dtype != HONE_STR;
}
static inline hone_value *hone_node_in(const hone_node *node, int index) {
  return index < node->input_count ? node->inputs[index].value : NULL;
}
static inline hone_value *hone_node_out(const hone_node *node, int index) {
  return index < node->output_count ? node->outputs[index] : NULL;
}

/* Attributes by the schema's name; asking for one that the op does not have is a bug (asserts). */
int64_t hone_node_int(const hone_node *node, const char *name);
bool hone_node_flag(const hone_node *node, const char *name);
double hone_node_real(const hone_node *node, const char *name);
const char *hone_node_text(const hone_node *node, const char *name);
hone_dtype hone_node_dtype(const hone_node *node, const char *name);
const int64_t *hone_node_ints(const hone_node *node, const char *name, size_t *count);
const double *hone_node_reals(const hone_node *node, const char *name, size_t *count);
const hone_attr *hone_node_attr(const hone_node *node, const char *name);
HONE_MUST_USE hone_status *hone_node_set_int(hone_node *node, const char *name, int64_t value);
HONE_MUST_USE hone_status *hone_node_set_real(hone_node *node, const char *name, double value);
HONE_MUST_USE hone_status *hone_node_set_text(hone_node *node, const char *name, const char *text);
HONE_MUST_USE hone_status *hone_node_set_ints(hone_node *node, const char *name,
                                              const int64_t *values, size_t count);
HONE_MUST_USE hone_status *hone_node_set_reals(hone_node *node, const char *name,
                                               const double *values, size_t count);
HONE_MUST_USE hone_status *hone_node_set_texts(hone_node *node, const char *name,
                                               const char *const *values, size_t count);

/* A constant as a datum (lent). The value must be a constant tensor. */
hone_datum hone_value_datum(const hone_value *constant);
/* What `constant` points to where a file left the elements out. Nobody may read them: shape rules
 * take them for unknown, and the engine refuses what would compute with them. */
extern const unsigned char hone_absent[64];
static inline bool hone_value_is_absent(const hone_value *value) {
  return value->constant == hone_absent;
}

#endif
