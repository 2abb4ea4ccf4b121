/* What the operators over windows share on their way in. Room: import. */
#ifndef HONE_IMPORT_ONNX_WINDOWS_H
#define HONE_IMPORT_ONNX_WINDOWS_H

#include "import/onnx/map.h"

/* Sets strides, dilations (where the op has them), pads and padding of a node over `rank` spatial
 * axes from the ONNX attributes of those names and auto_pad. */
void hone_onnx_set_window(hone_call *call, hone_node *node, int rank, bool dilations);

/* A convolution's weights [M, C / g, k…] as [k…, C / g, M]; of `rank` dimensions in all. */
hone_value *hone_onnx_weights_last(hone_call *call, hone_value *w, int rank);
/* [N, C, s…] as [N, s…, C] and back, the rank being known from elsewhere. */
hone_value *hone_onnx_to_last(hone_call *call, hone_value *x, int rank);
hone_value *hone_onnx_to_first(hone_call *call, hone_value *x, int rank);

/* The convolution by the ONNX attributes of Conv, of operands in ONNX's layouts, x and w of the
 * same type. The result is channels last. */
hone_value *hone_onnx_convolve(hone_call *call, hone_value *x, hone_value *w, hone_value *b);
/* The same in integers: bytes, one zero point for all of x, one for all of w or one a filter. */
hone_value *hone_onnx_convolve_integers(hone_call *call, hone_value *x, hone_value *w,
                                        hone_value *x_zero, hone_value *w_zero);

#endif
