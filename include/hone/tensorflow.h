/* What the host integration of TensorFlow asks beside the rest of the interface: parts of a
 * GraphDef replaced by nodes that run engines. */
#ifndef HONE_TENSORFLOW_H
#define HONE_TENSORFLOW_H

#include <hone/hone.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A GraphDef, the segments of it that engines can take, and what became of each.
 *
 * A segment hangs together and no way leads out of it and back in. Constants go with whoever uses
 * them. Each segment is replaced by its engine's node, which is named as the segment is, and keeps
 * as a function (<name>_native_segment) what it replaces; or stays native.
 *
 * Nodes may carry the attributes _output_types (list of types) and _output_shapes (list of shapes),
 * with an entry an output: what is known of the results of nodes that stay native, and the shapes
 * that results of segments are made to keep. Without the types, what depends on a native node stays
 * native too. They are left out of what is written. */
typedef struct hone_conversion hone_conversion;

/* Lists are texts, their entries separated by commas; NULL is empty. */
typedef struct hone_conversion_options {
  const char *outputs;  /* tensors that callers know by name, "node" or "node:1" */
  const char *denied;   /* operators that stay native */
  const char *native;   /* nodes that stay native, constants too */
  const char *prefix;   /* segments are called <prefix>_000, …, the largest first */
  size_t least_nodes;   /* smaller segments stay native; what only hands on does not count */
  size_t most_segments; /* the largest of them; 0: any number */
  int like_tf_trt;      /* segments are clustered as TF-TRT's, and their size counts the constants that
                           they alone use, as its does */
} hone_conversion_options;

/* `graph_def` is read in place and must outlive the conversion; the options need not. */
HONE_API hone_status *hone_conversion_new(hone_bytes graph_def,
                                          const hone_conversion_options *options,
                                          hone_conversion **out);
HONE_API void hone_conversion_free(hone_conversion *conversion);

/* JSON:
 *   {"segments": [{"name": …, "nodes": [["node", "operator"], …], "size": nodes that count,
 *                  "inputs": [port, …], "outputs": [port, …]}, …],
 *    "native": [{"node": …, "op": …, "reason": …}, …]}
 * A port is {"tensor": "node:1", "type": a DataType, "shape": [2, null] or null}. Segments keep
 * their places in the list; one that was left native has no ports. Free `out` with
 * hone_text_release. */
HONE_API hone_status *hone_conversion_describe(hone_conversion *conversion, char **out);
HONE_API size_t hone_conversion_segment_count(const hone_conversion *conversion);

/* A segment as a model of its own: a GraphDef, and the options that name what it is fed (in_0,
 * in_1, …) and gives (out_0, …). */
typedef struct hone_segment_model {
  const char *name; /* the segment's; the conversion's, like the texts below */
  const char *inputs, *outputs;
  char *graph_def; /* free it with hone_text_release */
  size_t size;
} hone_segment_model;
HONE_API hone_status *hone_conversion_model(hone_conversion *conversion, size_t segment,
                                            hone_segment_model *out);

/* Leaves a segment native, for a reason that the description repeats. */
HONE_API hone_status *hone_conversion_leave(hone_conversion *conversion, size_t segment,
                                            const char *reason);

/* What the engine's node is given: the path of its file, or its bytes, which become a constant and
 * must outlive the conversion. With neither (the default) there is a placeholder <segment>_path. */
HONE_API hone_status *hone_conversion_place(hone_conversion *conversion, size_t segment,
                                            const char *path, hone_bytes bytes);

/* The engines' nodes. */
typedef struct hone_engine_nodes {
  const char *op; /* "HoneEngine" or "TRTEngineOp" */
  /* Attributes that each node has besides: the field `attr` of a NodeDef as often as there are, in
   * the wire format. */
  hone_bytes attrs;
  int carries_segment; /* the segment is one more input, for kernels that cannot read functions */
  /* Not NULL: the functions read their constants of 4 KB and more from a file of this name among a
   * SavedModel's assets, whose path is fed to a placeholder of the same name; where none is as large,
   * there is no placeholder. NULL: the functions hold them. */
  const char *weights;
} hone_engine_nodes;

/* The graph with engines in place of the segments that were not left native. Free `out` with
 * hone_text_release. */
HONE_API hone_status *hone_conversion_result(hone_conversion *conversion,
                                             const hone_engine_nodes *nodes, char **out,
                                             size_t *size);

/* Writes that file, for the last result. */
HONE_API hone_status *hone_conversion_save_weights(hone_conversion *conversion, const char *path);

/* The same file, read: what the op HoneWeight gives. A weight's content is checked when it is asked
 * for, and lies in the mapped file until that is closed. */
typedef struct hone_weights hone_weights;
HONE_API hone_status *hone_weights_open(const char *path, hone_weights **out);
HONE_API hone_status *hone_weights_at(const hone_weights *weights, size_t index,
                                      hone_tensor *out);
HONE_API void hone_weights_close(hone_weights *weights);

#ifdef __cplusplus
}
#endif
#endif
