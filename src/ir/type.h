/* Shapes and value types. Room: ir. */
#ifndef HONE_IR_TYPE_H
#define HONE_IR_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"
#include "ir/dtype.h"

/* One dimension: a size >= 0, or a symbol. Symbol i of the graph's table is -1 - i. Two equal
 * symbols are the same size in every run; two different ones may or may not be. */
typedef int64_t hone_dim;

static inline bool hone_dim_known(hone_dim dim) { return dim >= 0; }

typedef struct hone_shape {
  int rank; /* 0..HONE_MAX_RANK, or HONE_RANK_UNKNOWN */
  hone_dim dim[HONE_MAX_RANK];
} hone_shape;

#define HONE_RANK_UNKNOWN (-1)

static inline hone_shape hone_shape_unknown(void) {
  return (hone_shape){.rank = HONE_RANK_UNKNOWN};
}

hone_shape hone_shape_of(int rank, const hone_dim *dims);
bool hone_shape_equal(const hone_shape *a, const hone_shape *b); /* ranks and dims, symbols too */
bool hone_shape_known(const hone_shape *shape);                  /* no symbol anywhere */
/* The number of elements of a known shape; false on a symbol, an unknown rank or overflow. */
bool hone_shape_count(const hone_shape *shape, size_t *count);
/* Bytes of a known shape of `dtype`, as hone_shape_count. */
bool hone_shape_bytes(const hone_shape *shape, hone_dtype dtype, size_t *bytes);
/* The product of dims [begin, end) of a known shape whose count fits. */
size_t hone_shape_span(const hone_shape *shape, int begin, int end);
/* An axis as users write it (negative counts from the end) in 0..rank-1; false when outside. */
bool hone_axis(int64_t axis, int rank, int *out);

/* The row-major strides of a known shape, in elements. */
void hone_shape_strides(const hone_shape *shape, int64_t *strides);

/* NumPy broadcasting of `a` and `b`. Known dims decide; a symbol against 1 stays the symbol;
 * two different symbols, or a symbol against a size > 1, follow the size or become `fresh`, taken
 * by calling it. False when two known dims clash. Unknown rank gives unknown rank. */
struct hone_graph;
bool hone_shape_broadcast(struct hone_graph *symbols, const hone_shape *a, const hone_shape *b,
                          hone_shape *out);

/* What a value is. Sequences and optionals hold values of their element type; an optional may
 * hold a sequence. */
typedef enum hone_kind {
  HONE_KIND_TENSOR = 0,
  HONE_KIND_SEQUENCE,
  HONE_KIND_OPTIONAL
} hone_kind;

typedef struct hone_type {
  hone_kind kind;
  hone_kind item;    /* what an optional holds: tensor or sequence (of tensors) */
  hone_dtype dtype;  /* of the tensor, or of the tensors inside */
  hone_shape shape;  /* of the tensor; for the other kinds what every tensor inside has, or unknown */
} hone_type;

static inline hone_type hone_tensor_type(hone_dtype dtype, hone_shape shape) {
  return (hone_type){.kind = HONE_KIND_TENSOR, .dtype = dtype, .shape = shape};
}

/* A value at run time: dense, row-major, in somebody else's memory. */
typedef struct hone_datum {
  hone_kind kind;
  hone_dtype dtype;
  hone_shape shape;          /* known, for tensors */
  void *data;                /* for tensors; never NULL, also when empty */
  struct hone_datum *items;  /* sequence: `count` items; optional: 0 or 1 */
  size_t count;
} hone_datum;

/* The tensor's elements; its shape is known, so that this cannot fail. */
size_t hone_datum_count(const hone_datum *tensor);

#endif
