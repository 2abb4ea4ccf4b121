/* Packing and unpacking the heads of attention. Room: import. */
#ifndef HONE_IMPORT_ONNX_HEADS_H
#define HONE_IMPORT_ONNX_HEADS_H

#include "import/onnx/map.h"

/* [b, s, heads * d] as [b, heads, s, d]; and back. */
hone_value *hone_onnx_split_heads(hone_call *call, hone_value *x, int64_t heads);
hone_value *hone_onnx_join_heads(hone_call *call, hone_value *x);
/* The two after one another along `axis`; `b` alone where there is no `a`. */
hone_value *hone_onnx_append(hone_call *call, hone_value *a, hone_value *b, int64_t axis);
/* Columns [begin, end) of the last axis of x. */
hone_value *hone_onnx_columns(hone_call *call, hone_value *x, int64_t begin, int64_t end);
/* x turned by its positions; the attribute of that name says whether pairs lie interleaved. */
hone_value *hone_onnx_rotate(hone_call *call, hone_value *x, hone_value *cos, hone_value *sin,
                             hone_value *positions, const char *interleaved);
/* 0, 1, … along axis `axis` of x, as [1, size]. */
hone_value *hone_onnx_counting(hone_call *call, hone_value *x, int axis);

#endif
