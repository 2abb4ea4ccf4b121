/* What the parts of the TensorFlow importer share. Room: import.
 *
 * body.c reads a graph's or a function's nodes, convert.c turns those that the wanted outputs need
 * into calls of rows, call.c is what rows ask their node, functions.c calls bodies, tensor.c makes
 * constants, import.c opens a GraphDef, saved_model.c a SavedModel, variables.c finds which weight
 * of a bundle (bundle.c) a variable is.
 */
#ifndef HONE_IMPORT_TENSORFLOW_IMPORTER_H
#define HONE_IMPORT_TENSORFLOW_IMPORTER_H

#include "base/map.h"
#include "import/import.h"
#include "import/tensorflow/map.h"
#include "import/tensorflow/proto.h"

/* Functions inside functions: each is a level of C recursion. */
#define TF_MAX_CALLS 64
/* What a Split into single rows may ask for. */
#define TF_MAX_OUTPUTS 65536

typedef struct tf_bundle tf_bundle;

/* Where an input comes from: output `output` of node `node`, or argument -1 - node. */
typedef struct tf_edge {
  int node, output;
} tf_edge;

typedef struct tf_node {
  hone_bytes name, op;
  hone_proto_list attrs;
  const struct hone_tf_row *row; /* NULL where the operator has none */
  const tf_edge *inputs;         /* data first, then what only has to run before: in the first
                                    TensorFlow's conditionals that says the branch */
  int input_count, control_count;
} tf_node;

typedef struct tf_argument {
  hone_bytes name;
} tf_argument;

/* The nodes of a graph or of a function. */
typedef struct tf_body {
  hone_bytes name; /* of the function */
  tf_node *nodes;
  int node_count;
  hone_map index; /* node name to tf_node */
  const tf_argument *arguments;
  int argument_count;
  const tf_edge *returns;
  int return_count;
  const hone_bytes *return_names;
  bool whole; /* a function's: it was read to its end */
} tf_body;

/* What runs along an edge. Handles exist at import only. */
typedef enum tf_kind { TF_NOTHING = 0, TF_TENSOR, TF_VARIABLE, TF_LIST } tf_kind;

/* A TensorList or a TensorArray. Its items are one tensor, stacked along axis 0, once any is set;
 * before that they are zeros of a shape that may not be known yet. */
typedef struct tf_list {
  hone_dtype dtype;
  hone_value *count; /* s64, rank 0 */
  hone_shape item;   /* the shape of an item; dims that are not known are negative */
  int slot;          /* 1 + which of the loop's variables it is, while a loop may stack its items */
  hone_value *index, *stacked; /* what the loop's body set, and where */
} tf_list;

typedef struct tf_value {
  tf_kind kind;
  hone_value *value;    /* TENSOR; LIST: the items, or NULL */
  const char *variable; /* VARIABLE: the name its content is found under; zero-terminated */
  const tf_list *list;  /* LIST */
} tf_value;

typedef enum tf_state { TF_UNSEEN = 0, TF_OPEN, TF_DONE } tf_state;

/* What a node gave; `next` and `parent` are the walk's own. */
typedef struct tf_result {
  tf_state state;
  int next, parent;
  int count;
  tf_value *values;
} tf_result;

typedef struct tf_importer {
  hone_proto_reader reader; /* its memory is `scratch` */
  hone_arena scratch;
  const hone_model_source *source;
  hone_bytes file; /* the source's bytes, those of the text form as the wire format */
  hone_graph *root;
  hone_map rows;      /* operator to hone_tf_row */
  hone_map functions; /* name to tf_function_def; bodies are read when first called */
  hone_map bodies;    /* name to tf_body */
  hone_map variables; /* name to hone_bytes: the bundle's key */
  tf_bundle *bundle;  /* NULL: there are no variables */
  size_t visits, visit_limit;
  int calls; /* how deep inside functions the current node is */
  hone_value placeholder;
} tf_importer;

/* The loop or the branch of the first TensorFlow that a scope's nodes stand in: a second scope over
 * the same body. */
typedef struct tf_frame {
  struct tf_scope *outer;
  hone_bytes name;         /* a loop's; empty for a branch */
  tf_edge condition;       /* a branch's */
  int side;                /* which branch: the Switch's output that leads into it; -1: a region on
                              the way to one, with no nodes of its own */
  int first_capture, offset; /* of the region's node; see hone_region_capture */
} tf_frame;

/* A body on its way into a graph. */
typedef struct tf_scope {
  tf_importer *importer;
  const tf_body *body;
  hone_graph *graph;
  tf_result *results;        /* by node */
  const tf_value *arguments; /* of the function */
  const struct tf_call *caller; /* whose attributes a function's placeholders stand for; or NULL */
  const char *prefix;        /* "call/" in front of node names, or "" */
  const tf_frame *frame;     /* NULL outside of such regions */
  const bool *needed;        /* by node: what the wanted outputs need; NULL: not known */
} tf_scope;

typedef struct tf_call {
  hone_call base; /* first: import functions see this part */
  tf_importer *importer;
  tf_scope *scope;
  const tf_node *node;
  tf_value *in, *out;
  int input_count, output_count, output_room;
} tf_call;

static inline tf_call *tf_call_of(const hone_call *call) { return (tf_call *)(uintptr_t)call; }

/* import.c */
HONE_MUST_USE hone_status *tf_importer_open(tf_importer *importer,
                                            const hone_model_source *source,
                                            const hone_proto_field *schema);
void tf_importer_close(tf_importer *importer);
/* Fails when memory or work pass their limits. */
HONE_MUST_USE hone_status *tf_check_limits(tf_importer *importer);
/* An input of the graph for an edge that is fed. */
HONE_MUST_USE hone_status *tf_add_input(tf_scope *scope, tf_edge edge, const char *name,
                                        hone_type type);
/* The type of what an edge carries, as far as its node says. */
HONE_MUST_USE hone_status *tf_edge_type(tf_scope *scope, tf_edge edge, hone_type *out);
/* Adds an input for each Placeholder that an edge of `edges` needs, in the file's order. */
HONE_MUST_USE hone_status *tf_add_placeholders(tf_scope *scope, const tf_edge *edges,
                                               size_t count);
/* Makes the value of an edge an output of the graph. */
HONE_MUST_USE hone_status *tf_add_output(tf_scope *scope, tf_edge edge, const char *name);

/* ports.c */
typedef struct tf_port {
  const char *name; /* in the engine */
  const char *edge; /* the same unless it is renamed */
  bool has_shape;
  hone_shape shape;
} tf_port;
HONE_MUST_USE hone_status *tf_parse_ports(tf_importer *importer, const char *text, tf_port **out,
                                          size_t *count);

/* body.c */
/* An edge written as in a GraphDef: "node", "node:1". */
HONE_MUST_USE hone_status *tf_parse_edge(const tf_body *body, hone_bytes text, tf_edge *out);
HONE_MUST_USE hone_status *tf_read_graph_body(tf_importer *importer, const tf_graph_def *graph,
                                              tf_body *out);
HONE_MUST_USE hone_status *tf_read_function_body(tf_importer *importer,
                                                 const tf_function_def *function, tf_body *out);
const tf_node *tf_find_node(const tf_body *body, hone_bytes name);

/* convert.c */
HONE_MUST_USE hone_status *tf_scope_open(tf_scope *scope, tf_importer *importer,
                                         const tf_body *body, hone_graph *graph);
/* What an edge carries; its node and all that it needs are converted first. */
HONE_MUST_USE hone_status *tf_demand(tf_scope *scope, tf_edge edge, tf_value *out);
/* The same, a tensor. */
HONE_MUST_USE hone_status *tf_demand_tensor(tf_scope *scope, tf_edge edge, hone_value **out);
/* Converts a node and what it needs. */
HONE_MUST_USE hone_status *tf_settle(tf_scope *scope, int node);
/* Says beforehand what an edge carries; its node is not converted. */
HONE_MUST_USE hone_status *tf_bind(tf_scope *scope, tf_edge edge, tf_value value);
/* What errors and reports call a node. NULL without memory. */
const char *tf_node_label(const tf_scope *scope, const tf_node *node);

/* functions.c */
HONE_MUST_USE hone_status *tf_read_library(tf_importer *importer, hone_bytes library);
/* The function of this name, NULL in *out when there is none. */
HONE_MUST_USE hone_status *tf_find_function(tf_importer *importer, hone_bytes name,
                                            const tf_body **out);
/* Converts `body` as called by `call` on `in` into `graph`; gives its returns, as many as it has. */
HONE_MUST_USE hone_status *tf_call_body(tf_call *call, const tf_body *body, hone_graph *graph,
                                        const tf_value *in, int count, tf_value **out);
/* The node is a call of `body`. */
HONE_MUST_USE hone_status *tf_run_function(tf_call *call, const tf_body *body);
/* The function that attribute `attr` of the call names. */
HONE_MUST_USE hone_status *tf_function_attr(tf_call *call, const char *attr,
                                            const tf_body **out);

/* lists.c */
/* Item `index` of a list set to `item`, or found. */
hone_value *tf_list_items(hone_call *call, tf_value list);
/* A list whose items are the rows of a tensor. */
tf_value tf_list_of(hone_call *call, hone_value *items);

/* loops.c: the loops of both generations. */
typedef struct tf_looping {
  tf_call *call;
  int count;               /* of the loop's variables */
  const tf_value *initial; /* by variable */
  const bool *fixed;       /* by variable: it stays what it is */
  /* One turn in `graph`: what the variables become and whether to go on with that. */
  hone_status *(*turn)(struct tf_looping *looping, hone_graph *graph, const tf_value *in,
                       tf_value *out, hone_value **go_on);
  /* Whether to begin. */
  hone_status *(*test)(struct tf_looping *looping, hone_graph *graph, const tf_value *in,
                       hone_value **go_on);
} tf_looping;
/* `out`: the variables after the last turn. */
HONE_MUST_USE hone_status *tf_emit_loop(tf_looping *looping, tf_value *out);

/* frames.c: regions of the first TensorFlow's control flow. */
HONE_MUST_USE hone_status *tf_open_frame(tf_scope *inner, const tf_frame *frame,
                                         hone_graph *region);
/* What an edge of the scope around carries, brought into this one. */
HONE_MUST_USE hone_status *tf_outer_value(tf_scope *scope, tf_edge edge, tf_value *out);
/* What the call's node gives in the scope around this one, brought in. */
HONE_MUST_USE hone_status *tf_take_outside(tf_call *call);
HONE_MUST_USE hone_status *tf_check_inputs(const tf_call *call, int least);
static inline bool tf_edges_equal(tf_edge a, tf_edge b) {
  return a.node == b.node && a.output == b.output;
}

/* What a value of the graph around is inside a region. */
HONE_MUST_USE hone_status *tf_capture(tf_importer *importer, hone_graph *region, int first,
                                      int offset, tf_value value, tf_value *out);
/* A tensor as a truth of rank 0: numbers hold when they are not 0. */
hone_value *tf_truth(hone_call *call, hone_value *x);

/* table.c */
HONE_MUST_USE hone_status *tf_map_rows(tf_importer *importer);
HONE_MUST_USE hone_status *tf_run_row(tf_call *call);
/* Which of a row's flat outputs `name` is the first of; -1 for a name it does not have. */
int tf_output_index(const hone_tf_row *row, hone_bytes name);
/* The output argument that flat output `output` belongs to, and which of it that is. Loops are of nodes
 * without a row (NULL), too. */
int tf_output_name(const hone_tf_row *row, int output, const char **name, size_t *size);

/* call.c */
/* The attribute, placeholders of functions resolved; false when absent. */
bool tf_attr(const tf_call *call, const char *name, tf_attr_value *out);
/* Input `index` as it comes, tensor or handle; `kind` differs: fails. */
const tf_value *tf_input(hone_call *call, int index, tf_kind kind);
void tf_return(hone_call *call, int index, tf_value value);

/* tensor.c */
HONE_MUST_USE hone_status *tf_read_shape(tf_importer *importer, hone_bytes message,
                                         hone_shape *out);
/* A TensorProto as a constant, its bytes in place where they are stored as they are used. */
HONE_MUST_USE hone_status *tf_constant(tf_importer *importer, hone_graph *graph,
                                       const char *name, hone_bytes message, hone_value **out);

/* variables.c */
/* Finds out what each variable is restored from. */
HONE_MUST_USE hone_status *tf_bind_variables(tf_importer *importer, const tf_body *body,
                                             hone_bytes saver);
/* The content of a variable as a constant. */
HONE_MUST_USE hone_status *tf_variable_constant(tf_importer *importer, hone_graph *graph,
                                                const char *variable, hone_value **out);

/* bundle.c: a TensorBundle, the checkpoint format of SavedModels. */
typedef struct tf_bundle_tensor {
  hone_dtype dtype;
  hone_shape shape;
  hone_bytes bytes; /* in the mapped shard; strings: in the importer's memory */
} tf_bundle_tensor;
/* Opens `prefix`.index and its shards beneath the model's folder. */
HONE_MUST_USE hone_status *tf_bundle_open(tf_importer *importer, const char *prefix,
                                          tf_bundle **out);
bool tf_bundle_has(const tf_bundle *bundle, hone_bytes key);
/* A tensor, its checksum verified; NOT_FOUND when the bundle has none of this name. */
HONE_MUST_USE hone_status *tf_bundle_find(tf_importer *importer, tf_bundle *bundle,
                                          hone_bytes key, tf_bundle_tensor *out);

/* A zero-terminated copy in the importer's memory; zero bytes become '?'. NULL without memory. */
const char *tf_text(tf_importer *importer, hone_bytes span);

#endif
