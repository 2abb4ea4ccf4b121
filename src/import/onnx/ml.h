/* What the models of ai.onnx.ml share. Room: import. */
#ifndef HONE_IMPORT_ONNX_ML_H
#define HONE_IMPORT_ONNX_ML_H

#include "import/onnx/map.h"

#define HONE_ONNX_ML "ai.onnx.ml"

/* Scores [n, c] as attribute post_transform has them: NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO or
 * PROBIT. */
hone_value *hone_onnx_post_transform(hone_call *call, hone_value *scores);
hone_value *hone_onnx_transformed(hone_call *call, hone_value *scores, const char *name);
/* The classes' labels, from attribute `ints` or `strings`, as a vector; NULL where neither is. */
hone_value *hone_onnx_labels(hone_call *call, const char *ints, const char *strings);
/* Of scores [n, c] the label of the largest, [n]. */
hone_value *hone_onnx_best_label(hone_call *call, hone_value *scores, hone_value *labels);
/* labels[positive ? 1 : 0] for a boolean [n, 1], as [n]. */
hone_value *hone_onnx_either_label(hone_call *call, hone_value *positive, hone_value *labels);
/* x as real numbers [n, f]: f32 unless it is f64; a vector is one row. */
hone_value *hone_onnx_features(hone_call *call, hone_value *x);
/* A list of reals as a constant [rows, columns] of `dtype`; its length has to fit. */
hone_value *hone_onnx_matrix(hone_call *call, const char *attr, hone_dtype dtype, size_t rows,
                             size_t columns);

#endif
