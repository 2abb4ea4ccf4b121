/* Element types, shapes and tensors as callers see them. */
#ifndef HONE_TYPES_H
#define HONE_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Element types: X(enumerator suffix, name in the text form, bits of one element, class).
 * The order is part of the ABI and of the engine format: new ones are added at the end.
 * Types of less than eight bits are packed, the lowest bits first, each tensor padded to a byte. */
#define HONE_DTYPES(X)                                                                             \
  X(F32, "f32", 32, FLOAT)                                                                         \
  X(F64, "f64", 64, FLOAT)                                                                         \
  X(F16, "f16", 16, FLOAT)                                                                         \
  X(BF16, "bf16", 16, FLOAT)                                                                       \
  X(F8E4M3, "f8e4m3", 8, FLOAT)        /* no infinities, NaN 0x7f and 0xff */                      \
  X(F8E4M3FNUZ, "f8e4m3fnuz", 8, FLOAT) /* no infinities, no -0, NaN 0x80 */                       \
  X(F8E5M2, "f8e5m2", 8, FLOAT)        /* IEEE-like, with infinities */                            \
  X(F8E5M2FNUZ, "f8e5m2fnuz", 8, FLOAT)                                                            \
  X(F8E8M0, "f8e8m0", 8, FLOAT)        /* a power of two, NaN 0xff */                              \
  X(F4E2M1, "f4e2m1", 4, FLOAT)                                                                    \
  X(S64, "s64", 64, SIGNED)                                                                        \
  X(S32, "s32", 32, SIGNED)                                                                        \
  X(S16, "s16", 16, SIGNED)                                                                        \
  X(S8, "s8", 8, SIGNED)                                                                           \
  X(S4, "s4", 4, SIGNED)                                                                           \
  X(S2, "s2", 2, SIGNED)                                                                           \
  X(U64, "u64", 64, UNSIGNED)                                                                      \
  X(U32, "u32", 32, UNSIGNED)                                                                      \
  X(U16, "u16", 16, UNSIGNED)                                                                      \
  X(U8, "u8", 8, UNSIGNED)                                                                         \
  X(U4, "u4", 4, UNSIGNED)                                                                         \
  X(U2, "u2", 2, UNSIGNED)                                                                         \
  X(BOOL, "bool", 8, BOOLEAN)          /* one byte, 0 or 1 */                                      \
  X(STR, "str", 128, STRING)           /* a hone_string; lives on the host */                      \
  X(C64, "c64", 64, COMPLEX)           /* two f32: real, imaginary */                              \
  X(C128, "c128", 128, COMPLEX)        /* two f64: real, imaginary */

typedef enum hone_dtype {
  HONE_DTYPE_NONE = 0, /* not known, or no tensor at all */
#define HONE_DTYPE_ENUMERATOR(suffix, name, bits, klass) HONE_##suffix,
  HONE_DTYPES(HONE_DTYPE_ENUMERATOR)
#undef HONE_DTYPE_ENUMERATOR
  HONE_DTYPE_COUNT
} hone_dtype;

/* Most dimensions a tensor may have. */
#define HONE_MAX_RANK 8

/* One element of a string tensor: `size` bytes of UTF-8, not zero-terminated. */
typedef struct hone_string {
  const char *data;
  size_t size;
} hone_string;

/* A run of bytes that somebody else owns. */
typedef struct hone_bytes {
  const void *data;
  size_t size;
} hone_bytes;

#ifdef __cplusplus
}
#endif
#endif
