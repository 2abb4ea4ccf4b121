/* Facts and scalar access for every element type. Room: ir. */
#ifndef HONE_IR_DTYPE_H
#define HONE_IR_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hone/types.h>

typedef enum hone_dtype_class {
  HONE_CLASS_NONE,
  HONE_CLASS_FLOAT,
  HONE_CLASS_SIGNED,
  HONE_CLASS_UNSIGNED,
  HONE_CLASS_BOOLEAN,
  HONE_CLASS_STRING,
  HONE_CLASS_COMPLEX
} hone_dtype_class;

const char *hone_dtype_name(hone_dtype dtype);                  /* "f32"; "none" */
hone_dtype hone_dtype_parse(const char *name, size_t size);     /* HONE_DTYPE_NONE if unknown */
unsigned hone_dtype_bits(hone_dtype dtype);                     /* of one element; 0 for none */
hone_dtype_class hone_dtype_class_of(hone_dtype dtype);

/* Bytes that `count` elements take; false if that overflows. */
bool hone_dtype_bytes(hone_dtype dtype, size_t count, size_t *bytes);

/* Element `index` of packed data at any alignment, as f64 or as a 64-bit integer. Loading a float as
 * an integer truncates toward zero and saturates (NaN gives 0); booleans are 0 or 1; u64 values
 * keep their bits in the integer form. */
double hone_load_real(hone_dtype dtype, const void *data, size_t index);
int64_t hone_load_int(hone_dtype dtype, const void *data, size_t index);
/* Storing rounds once, half to even. A float type without infinities takes its NaN for an
 * overflow where `hone_store_real` is used (casts that saturate are the cast op's business).
 * Integers wrap. */
void hone_store_real(hone_dtype dtype, void *data, size_t index, double value);
void hone_store_int(hone_dtype dtype, void *data, size_t index, int64_t value);
/* Stores a real into any float type, what is beyond the largest finite value as that value; NaN
 * stays NaN where the type has one, else 0. */
void hone_store_saturated(hone_dtype dtype, void *data, size_t index, double value);

/* Whole runs at once, any type but STR and COMPLEX. */
void hone_load_reals(hone_dtype dtype, const void *data, size_t begin, size_t count, double *out);
void hone_store_reals(hone_dtype dtype, void *data, size_t begin, size_t count, const double *in);
void hone_load_ints(hone_dtype dtype, const void *data, size_t begin, size_t count, int64_t *out);
void hone_store_ints(hone_dtype dtype, void *data, size_t begin, size_t count, const int64_t *in);

/* Scalar conversions, round half to even. */
float hone_f16_to_f32(uint16_t bits);
uint16_t hone_f32_to_f16(float value);
float hone_bf16_to_f32(uint16_t bits);
uint16_t hone_f32_to_bf16(float value);

#endif
