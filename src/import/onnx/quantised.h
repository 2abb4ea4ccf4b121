/* Steps of quantised operators. Room: import. */
#ifndef HONE_IMPORT_ONNX_QUANTISED_H
#define HONE_IMPORT_ONNX_QUANTISED_H

#include "import/onnx/map.h"

/* (x - zero) * scale in the scale's type; and back, to the zero point's type, or `dtype`. */
hone_value *hone_onnx_dequantize(hone_call *call, hone_value *x, hone_value *scale,
                                 hone_value *zero, int64_t axis);
hone_value *hone_onnx_quantize(hone_call *call, hone_value *x, hone_value *scale,
                               hone_value *zero, hone_dtype dtype, int64_t axis);
/* The scale and u8 zero point that spread x, with 0 in its range, over 0..255; of a constant 0 the
 * scale is 1. */
void hone_onnx_dynamic_scale(hone_call *call, hone_value *x, hone_value **scale,
                             hone_value **zero);

/* Operators that com.microsoft has in the same form. */
hone_status *hone_onnx_import_quantize(hone_call *call);
hone_status *hone_onnx_import_dequantize(hone_call *call);
hone_status *hone_onnx_import_qlinear_conv(hone_call *call);

#endif
