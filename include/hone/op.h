/* A user's own operator: written outside of Hone, registered at run time.
 *
 *   static const hone_op_definition swirl = {
 *       .struct_size = sizeof swirl, .domain = "com.acme", .name = "Swirl",
 *       .inputs = "x", .outputs = "y", .attributes = "angle: real = 0.5",
 *       .shape = swirl_shape, .reference = swirl_reference};
 *   hone_op_define(&swirl);
 *
 * From then on hone_network_add(net, layer, "com.acme/Swirl", …) takes it, a node Swirl of domain
 * com.acme in an ONNX model is it (before the model's own function of that name), and engines that
 * hold it can be saved and opened. To open one, or a model, the op must be registered first: else
 * the error names it.
 *
 * A definition is for the life of the process: there is no way back, since graphs, engines and
 * plans point to it. Its texts are copied; its functions and `user` must stay. hone_op_define may
 * be called from any thread.
 *
 * The functions are called from several threads at once, the kernel also from Hone's own, and must
 * not change what they share without care. They must be pure: the same elements in give the same
 * elements out, unless HONE_OP_IMPURE is set; results may be computed at build, at planning or once
 * for several equal nodes. An exception or longjmp must not leave them.
 *
 * Inputs and outputs are counted as the definition names them: those that a node leaves out are
 * NULL, also at its end. Structs given to the functions begin with struct_size, set by the library:
 * members beyond it are not there. All pointers in them are lent for the call.
 */
#ifndef HONE_OP_H
#define HONE_OP_H

#include <hone/hone.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A node of the op: only to ask for its attributes. */
typedef struct hone_node hone_node;

/* Attributes by name. Of a name or kind that the definition does not have: 0, NULL. Lent as long as
 * the node. A flag is 0 or 1, a type its hone_dtype; a choice is a text. */
HONE_API int64_t hone_attribute_int(const hone_node *node, const char *name);
HONE_API double hone_attribute_real(const hone_node *node, const char *name);
HONE_API const char *hone_attribute_text(const hone_node *node, const char *name);
HONE_API const int64_t *hone_attribute_ints(const hone_node *node, const char *name, size_t *count);
HONE_API const double *hone_attribute_reals(const hone_node *node, const char *name, size_t *count);
HONE_API const char *const *hone_attribute_texts(const hone_node *node, const char *name,
                                                 size_t *count);

/* ---- The shape function --------------------------------------------------------------------- */

/* Tells the outputs' types from the inputs'. Called while networks are built and models imported,
 * where sizes may be unknown, and again when a run is planned, where all of them are known. */
typedef struct hone_shape_call {
  size_t struct_size;
  const hone_node *node;
  size_t input_count, output_count;
  /* NULL where absent. A negative dim is a size not known yet; equal ones are equal sizes. rank -1:
   * unknown. dtype HONE_DTYPE_NONE: unknown. `data`: the elements where they are known now, of an
   * input in shape_inputs always when planning; else NULL. */
  const hone_tensor *const *inputs;
  /* To set: dtype, rank, dims. A dim is a size, one of the inputs' negative ones, or
   * hone_unknown_dim. NULL where unwanted. */
  hone_tensor *const *outputs;
  bool planning; /* all sizes are known; with HONE_OP_DATA_SHAPED, give upper bounds */
} hone_shape_call;

/* A dim that is not known and equal to no other. */
HONE_API int64_t hone_unknown_dim(hone_shape_call *call);

typedef hone_status *hone_shape_function(void *user, hone_shape_call *call);

/* ---- The reference -------------------------------------------------------------------------- */

/* The plain meaning of the op, on one thread: the oracle of tests, what folds constants, and what
 * runs where there is no kernel. Its speed is not what counts. */
typedef struct hone_reference_call {
  size_t struct_size;
  const hone_node *node;
  size_t input_count, output_count;
  const hone_tensor *const *inputs; /* NULL where absent; dense, row-major, any alignment of 1 */
  /* As the shape function told, with memory to fill; NULL where unwanted. With
   * HONE_OP_DATA_SHAPED dims may be made smaller; the elements are dense in what remains. */
  hone_tensor *const *outputs;
} hone_reference_call;

/* Memory that lives as long as the outputs do, for the characters of strings; NULL when out. */
HONE_API void *hone_reference_memory(hone_reference_call *call, size_t size);

typedef hone_status *hone_reference_function(void *user, hone_reference_call *call);

/* ---- The kernel ------------------------------------------------------------------------------ */

/* Sizes to arguments, once for each new set of sizes. May return UNSUPPORTED for sizes that the
 * kernel does not take: those run on the reference. */
typedef struct hone_plan_call {
  size_t struct_size;
  const hone_node *node;
  size_t input_count, output_count;
  const hone_tensor *const *inputs;  /* as above, all known; `data` of constants and of elements
                                        known now, else NULL */
  const hone_tensor *const *outputs; /* NULL where unwanted; no data */
  int32_t threads;                   /* most parts */
  /* To set; what they hold at first: */
  int32_t parts;    /* how many threads it is worth: `threads` */
  int32_t phases;   /* 1 to 8, with a barrier after each: 1 */
  size_t scratch;   /* bytes that all parts share during a run: 0 */
  const void *plan; /* handed to the kernel: NULL */
} hone_plan_call;

/* Memory that lives as long as the plan, zeroed; NULL when out. */
HONE_API void *hone_plan_memory(hone_plan_call *call, size_t size);

typedef hone_status *hone_plan_function(void *user, hone_plan_call *call);

/* One part of one phase. Parts split the outputs and never a sum, so that their number does not
 * change a bit; there may be fewer than planned. No allocation, no lock, no failure here. */
typedef struct hone_kernel_call {
  size_t struct_size;
  const void *plan;
  const void *const *inputs; /* NULL where absent */
  void *const *outputs;      /* NULL where unwanted; no input's memory */
  void *scratch;             /* aligned to 64 */
  int32_t phase, part, parts;
} hone_kernel_call;

typedef void hone_kernel_function(void *user, const hone_kernel_call *call);

/* ---- Registering ---------------------------------------------------------------------------- */

enum {
  HONE_OP_IMPURE = 1,     /* two runs may differ: never folded, never merged */
  HONE_OP_DATA_SHAPED = 2 /* sizes of outputs depend on elements; no kernel then */
};

typedef struct hone_op_definition {
  size_t struct_size;
  const char *domain;     /* letters, digits, '_' and '.': "com.acme"; never empty */
  const char *name;       /* the same characters */
  const char *inputs;     /* names with spaces between; "b?" optional, "x*" any number, last */
  const char *outputs;    /* the same */
  const char *attributes; /* "angle: real = 0.5, axes: ints = [], mode: fast|exact = exact"; kinds
                             int, flag, real, text, type, ints, reals, texts, or the choices;
                             without "= …" it has to be given. NULL: none. At most 16 */
  uint32_t flags;         /* HONE_OP_… */
  uint32_t shape_inputs;  /* bit i: the shape function reads the elements of input i */
  hone_shape_function *shape;
  hone_reference_function *reference;
  hone_plan_function *plan; /* with `kernel`; both may be NULL */
  hone_kernel_function *kernel;
  void *user; /* handed to each function */
} hone_op_definition;

/* INVALID_ARGUMENT where the definition is not sound or there is another op of that name; the same
 * functions and `user` under the same name once more do nothing. */
HONE_API hone_status *hone_op_define(const hone_op_definition *definition);

/* Loads a shared library, which stays loaded, and calls its function
 *   hone_status *hone_plugin(void);
 * which defines ops. Only libraries that are named so explicitly are ever loaded: nothing in a
 * model or an engine can ask for one. */
HONE_API hone_status *hone_plugin_load(const char *path);

#ifdef __cplusplus
}
#endif
#endif
