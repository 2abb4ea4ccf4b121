/* What the parts of the ONNX importer share. Room: import.
 *
 * import.c reads the model, scope.c knows which name is which value, nodes.c turns nodes into
 * calls, call.c is what import functions ask their node, tensor.c makes constants, type.c reads
 * types.
 */
#ifndef HONE_IMPORT_ONNX_IMPORTER_H
#define HONE_IMPORT_ONNX_IMPORTER_H

#include "base/file.h"
#include "import/import.h"
#include "import/onnx/map.h"
#include "import/onnx/proto.h"

/* Regions inside regions: each is a level of C recursion, here and in the verifier. */
#define ONNX_MAX_REGIONS 60

/* A row and the next one for the same operator. */
typedef struct onnx_mapped {
  const hone_onnx_row *row;
  struct onnx_mapped *next;
} onnx_mapped;

/* A function of the model, read when first called. */
typedef struct onnx_local {
  onnx_function function;
  onnx_node *nodes; /* NULL until it is called */
  size_t *order;
  bool open; /* its body is being inlined */
} onnx_local;

typedef struct onnx_importer {
  hone_proto_reader reader; /* its memory is `scratch` */
  hone_arena scratch;
  const char *folder;
  hone_graph *root;
  hone_map rows;              /* "domain:name" to onnx_mapped */
  hone_map functions;         /* "domain:name:overload" to onnx_local */
  hone_map files;             /* companion files by location: hone_file, kept by the graph */
  size_t visits, visit_limit; /* nodes converted, calls of functions counted again */
  int regions;                /* how deep inside regions the current node is */
  hone_value placeholder;     /* of unknown type: what a failed call hands out */
} onnx_importer;

/* What a name stands for: a value, an initialiser that nobody used yet, or nothing (an input that
 * the caller of a function left out). */
typedef struct onnx_binding {
  hone_value *value;
  hone_bytes initializer;
  bool sparse;
} onnx_binding;

/* A flat run of nodes: the main graph, a region's body or a function's. */
typedef struct onnx_scope {
  onnx_importer *importer;
  struct onnx_scope *outer; /* of a region: where captured names are found; else NULL */
  hone_node *owner;         /* of a region: the node it belongs to, in outer->graph; NULL for a
                               branch that is inlined: its graph is outer->graph */
  int first_capture;        /* of a region: the owner's input that is its first capture */
  int region_offset;        /* of a region: its input for the owner's input 0 */
  hone_graph *graph;
  hone_map names; /* to onnx_binding */
  hone_map hints; /* to hone_bytes in scratch: TypeProto of value_info */
  const onnx_opset *opsets;
  size_t opset_count;
  const onnx_attribute *arguments; /* of the function whose body this is in */
  size_t argument_count;
  const char *prefix; /* "call/" in front of node names, or "" */
  hone_arena memory;  /* of the scope and of its calls in progress */
} onnx_scope;

/* One ONNX node on its way into the graph. */
typedef struct onnx_call {
  hone_call base; /* first: import functions see this part */
  onnx_importer *importer;
  onnx_scope *scope;
  const onnx_node *node;
  const hone_onnx_row *row;
  onnx_attribute *attrs;
  int attr_count, input_count, output_count, opset;
  hone_value **in, **out;
  uint32_t first_id; /* values from here on were made by this call */
} onnx_call;

static inline onnx_call *onnx_own(const hone_call *call) { return (onnx_call *)(uintptr_t)call; }
/* From here on the call emits into `scope`; what it did before. */
static inline onnx_scope *onnx_move(hone_call *call, onnx_scope *scope) {
  onnx_scope *before = onnx_own(call)->scope;
  onnx_own(call)->scope = scope;
  call->graph = scope->graph;
  return before;
}

/* scope.c */
void onnx_scope_free(onnx_scope *scope);
/* `value` NULL: a function's input that the caller left out. */
HONE_MUST_USE hone_status *onnx_bind(onnx_scope *scope, hone_bytes name, hone_value *value);
HONE_MUST_USE hone_status *onnx_bind_initializer(onnx_scope *scope, hone_bytes name,
                                                 hone_bytes tensor, bool sparse);
/* The value of a name, captured from outside where it has to be; an error when nobody made it. */
HONE_MUST_USE hone_status *onnx_find(onnx_scope *scope, hone_bytes name, hone_value **out);
/* Binds what a graph declares besides nodes: initialisers and hints. */
HONE_MUST_USE hone_status *onnx_declare(onnx_scope *scope, const onnx_graph *graph);
/* The opset of `domain` where the scope's nodes come from; 0 when it is not imported. */
int onnx_opset_of(const onnx_scope *scope, hone_bytes domain);
HONE_MUST_USE hone_status *onnx_read_opsets(onnx_importer *importer, const hone_proto_list *list,
                                            onnx_scope *scope);
/* A scope for a region of the call's `owner`, whose input `first_capture` and later ones are
 * captures; the region's input for owner input i is i + region_offset. */
onnx_scope onnx_scope_region(hone_call *call, hone_node *owner, hone_graph *region,
                             int first_capture, int region_offset);

/* nodes.c */
HONE_MUST_USE hone_status *onnx_read_nodes(onnx_importer *importer, const hone_proto_list *list,
                                           onnx_node **out);
/* Converts all nodes of `list` into scope->graph, functions inlined. */
HONE_MUST_USE hone_status *onnx_convert(onnx_scope *scope, const hone_proto_list *list);
/* Fails when memory or work pass their limits. */
HONE_MUST_USE hone_status *onnx_check_limits(onnx_importer *importer);

/* order.c: an order in which each node stands after those it needs; NULL in *order when the nodes
 * stand so already. */
HONE_MUST_USE hone_status *onnx_order(onnx_importer *importer, const onnx_node *nodes, size_t count,
                                      size_t **order);

/* tensor.c */
/* A constant in `graph`, its bytes in place where they are stored as they are used. */
HONE_MUST_USE hone_status *onnx_constant(onnx_importer *importer, hone_graph *graph,
                                         hone_bytes name, hone_bytes tensor, hone_value **out);
HONE_MUST_USE hone_status *onnx_sparse_constant(onnx_importer *importer, hone_graph *graph,
                                                hone_bytes name, hone_bytes tensor,
                                                hone_value **out);

/* type.c */
HONE_MUST_USE hone_status *onnx_value_type(onnx_importer *importer, hone_bytes type_proto,
                                           hone_type *out);

/* body.c */
/* The nodes of a graph attribute of one input and one output in place, applied to x. */
HONE_MUST_USE hone_status *onnx_inline_body(hone_call *call, const char *attr, hone_value *x,
                                            hone_value **out);

/* call.c */
/* The attribute with its reference resolved; NULL when absent. */
const onnx_attribute *onnx_attr(const hone_call *call, const char *name);
int onnx_attr_type(const onnx_attribute *attr);

/* table.c */
HONE_MUST_USE hone_status *onnx_map_rows(onnx_importer *importer);
/* The row for an operator at an opset; NULL when there is none. */
const hone_onnx_row *onnx_find_row(onnx_importer *importer, const onnx_node *node, int opset);
/* Why an operator that has no row is refused; NULL where it is simply unknown. */
const char *onnx_refusal(const onnx_node *node);
/* The user's op for an operator, registered as "domain/Name"; NULL when there is none. */
const hone_op *onnx_find_user_op(const onnx_node *node);
/* The call as a node of that op, attributes by their names. */
HONE_MUST_USE hone_status *onnx_run_user_op(hone_call *call, const hone_op *op);
/* Runs a row on a call: its function, or what the straight row says. */
HONE_MUST_USE hone_status *onnx_run_row(hone_call *call);

/* functions.c */
HONE_MUST_USE hone_status *onnx_read_functions(onnx_importer *importer,
                                               const hone_proto_list *list);
/* The model's function that a node calls; NULL when it calls none. */
onnx_local *onnx_find_function(onnx_importer *importer, const onnx_node *node);
/* Opens `scope` for the body of `local` as called by `call`. */
HONE_MUST_USE hone_status *onnx_enter_function(hone_call *call, onnx_local *local,
                                               onnx_scope *scope);
/* Binds what the body gave to the names that the calling node gives them. */
HONE_MUST_USE hone_status *onnx_leave_function(onnx_scope *caller, const onnx_node *node,
                                               onnx_local *local, onnx_scope *scope);

/* A zero-terminated copy in the importer's scratch memory, "" for an absent span; zero bytes
 * become '?'. NULL without memory. */
const char *onnx_text(onnx_importer *importer, hone_bytes span);
static inline bool onnx_span_is(hone_bytes span, const char *text) {
  size_t size = __builtin_strlen(text);
  return span.size == size && (size == 0 || __builtin_memcmp(span.data, text, size) == 0);
}

#endif
