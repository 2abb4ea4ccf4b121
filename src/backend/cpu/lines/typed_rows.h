/* The rows of pointwise.def over one type, included by typed_body.h with KIND, ELEMENT, WIDE (what
 * expressions compute in), CLASS, VALUE(real, signed, unsigned) and DIVIDED(x, y) defined. Room:
 * backend/cpu/lines.
 */
#define OUT_SAME  ELEMENT
#define OUT_TRUTH uint8_t
#define POINTWISE(name, inputs, classes, facts, result, attributes, real, integer, natural) \
  static void NAMED(KIND, name)(size_t count, const void *in_x, const void *in_y,           \
                                const void *in_z, const double *attrs, void *to) {          \
    const ELEMENT *xs = in_x, *ys = in_y, *zs = in_z;                                       \
    OUT_##result *restrict out = to;                                                        \
    const double a = attrs[0], b = attrs[1];                                                \
    (void)a, (void)b;                                                                       \
    if (((classes)&CLASS) == 0) return;                                                     \
    for (size_t i = 0; i < count; i++) {                                                    \
      const WIDE x = LOAD(xs[i]), y = LOAD(ys[i]), z = LOAD(zs[i]);                         \
      (void)x, (void)y, (void)z;                                                            \
      out[i] = (OUT_##result)(VALUE(real, integer, natural));                               \
    }                                                                                       \
  }
#define QUOTIENT(x, y) DIVIDED((ELEMENT)(x), (ELEMENT)(y))
#include "ops/pointwise.def"
#undef POINTWISE
#undef OUT_SAME
#undef OUT_TRUTH
#undef KIND
#undef ELEMENT
