/* Copying boxes. Room: backend/cpu/lines. */
#include "backend/cpu/lines/copy.h"

#include <string.h>

#include "base/pool.h"

/* Edge of the blocks of a transposition, in elements: a block of 4-byte elements is 16 cache lines
 * read and 16 written. */
#define BLOCK 16

static const char zeros[16];

hone_status *hone_copies_new(hone_arena *arena, size_t element, size_t room, hone_copies **out) {
  hone_copies *copy = HONE_NEW(arena, hone_copies);
  HONE_TRY_MEMORY(copy);
  copy->element = element;
  copy->room = room;
  copy->boxes = HONE_NEW_ARRAY(arena, room + 1, hone_box_copy);
  HONE_TRY_MEMORY(copy->boxes);
  *out = copy;
  return NULL;
}

/* ---- The simplest form ---------------------------------------------------------------------- */

static void move_last(hone_box_copy *b, int axis, int to) {
  size_t size = b->size[axis];
  ptrdiff_t from_stride = b->from_stride[axis], to_stride = b->to_stride[axis];
  for (int i = axis; i < to; i++) {
    b->size[i] = b->size[i + 1];
    b->from_stride[i] = b->from_stride[i + 1];
    b->to_stride[i] = b->to_stride[i + 1];
  }
  b->size[to] = size;
  b->from_stride[to] = from_stride;
  b->to_stride[to] = to_stride;
}

/* The axis whose destinations lie side by side goes last; of the others the one whose sources do
 * goes next to it. */
static void choose_way(hone_box_copy *b, size_t element) {
  ptrdiff_t e = (ptrdiff_t)element;
  b->way = HONE_COPY_SINGLE;
  if (b->rank == 0) {
    b->size[0] = 1;
    b->from_stride[0] = b->to_stride[0] = e;
    b->rank = 1;
  }
  for (int i = 0; i < b->rank; i++)
    if (b->to_stride[i] == e) move_last(b, i, b->rank - 1);
  int last = b->rank - 1;
  if (b->to_stride[last] != e) return;
  if (b->from_stride[last] == e) {
    b->way = HONE_COPY_RUNS;
    return;
  }
  for (int i = 0; i < last; i++) {
    if (b->from_stride[i] != e) continue;
    move_last(b, i, last - 1);
    b->way = HONE_COPY_TRANSPOSED;
    return;
  }
}

void hone_copies_add(hone_copies *copy, int in, int out, const hone_box *box) {
  ptrdiff_t e = (ptrdiff_t)copy->element;
  hone_box_copy *b = &copy->boxes[copy->count];
  *b = (hone_box_copy){.in = in, .out = out, .from = box->from * e, .to = box->to * e};
  for (int i = 0; i < box->rank; i++) {
    size_t size = (size_t)box->size[i];
    ptrdiff_t from = (ptrdiff_t)box->from_stride[i] * e, to = (ptrdiff_t)box->to_stride[i] * e;
    if (size == 0) return;
    if (size == 1) continue;
    int last = b->rank - 1;
    if (last >= 0 && b->from_stride[last] == from * (ptrdiff_t)size &&
        b->to_stride[last] == to * (ptrdiff_t)size) {
      b->size[last] *= size;
    } else {
      b->size[++last] = size;
      b->rank++;
    }
    b->from_stride[last] = from;
    b->to_stride[last] = to;
  }
  choose_way(b, copy->element);
  copy->count++;
}

/* ---- The innermost loops -------------------------------------------------------------------- */

#define BY_ELEMENT(element, CALL) \
  switch (element) {              \
    case 1:                       \
      CALL(uint8_t);              \
      break;                      \
    case 2:                       \
      CALL(uint16_t);             \
      break;                      \
    case 4:                       \
      CALL(uint32_t);             \
      break;                      \
    case 8:                       \
      CALL(uint64_t);             \
      break;                      \
    default:                      \
      CALL(wide_element);         \
      break;                      \
  }

typedef struct wide_element {
  uint64_t half[2];
} wide_element;

/* `count` elements, each stride its own; memcpy because 16-byte elements may lie at 8. */
static void copy_single(size_t element, char *to, ptrdiff_t to_stride, const char *from,
                        ptrdiff_t from_stride, size_t count) {
#define SINGLE(type)                                                       \
  for (size_t i = 0; i < count; i++, to += to_stride, from += from_stride) \
  memcpy(to, from, sizeof(type))
  BY_ELEMENT(element, SINGLE)
#undef SINGLE
}

typedef uint32_t four __attribute__((vector_size(16)));

static inline four load_four(const char *from) {
  four x;
  memcpy(&x, from, sizeof x);
  return x;
}

static inline void store_four(char *to, four x) {
  memcpy(to, &x, sizeof x);
}

/* Four rows of four elements of four bytes. */
static inline void transpose_fours(char *to, ptrdiff_t to_stride, const char *from,
                                   ptrdiff_t from_stride) {
  four r0 = load_four(from), r1 = load_four(from + from_stride);
  four r2 = load_four(from + 2 * from_stride), r3 = load_four(from + 3 * from_stride);
  four a = __builtin_shufflevector(r0, r1, 0, 4, 1, 5);
  four b = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
  four c = __builtin_shufflevector(r2, r3, 0, 4, 1, 5);
  four d = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
  store_four(to, __builtin_shufflevector(a, c, 0, 1, 4, 5));
  store_four(to + to_stride, __builtin_shufflevector(a, c, 2, 3, 6, 7));
  store_four(to + 2 * to_stride, __builtin_shufflevector(b, d, 0, 1, 4, 5));
  store_four(to + 3 * to_stride, __builtin_shufflevector(b, d, 2, 3, 6, 7));
}

/* to[j][i] = from[i][j] for rows i of `from` at from_stride and rows j of `to` at to_stride. */
static void transpose_single(size_t element, char *to, ptrdiff_t to_stride, const char *from,
                             ptrdiff_t from_stride, size_t rows, size_t columns) {
#define TRANSPOSE(type)                                    \
  for (size_t j = 0; j < columns; j++)                     \
    for (size_t i = 0; i < rows; i++)                      \
  memcpy(to + (ptrdiff_t)j * to_stride + i * sizeof(type), \
         from + (ptrdiff_t)i * from_stride + j * sizeof(type), sizeof(type))
  BY_ELEMENT(element, TRANSPOSE)
#undef TRANSPOSE
}

static size_t distance(ptrdiff_t stride) {
  return (size_t)(stride < 0 ? -stride : stride);
}

/* The same; of elements of four bytes in vectors as far as fours of rows and columns go. Where
 * lines are far apart, and so in one place of the cache, all of four is done before the next. */
static void transpose_block(size_t element, char *to, ptrdiff_t to_stride, const char *from,
                            ptrdiff_t from_stride, size_t rows, size_t columns) {
  size_t r = element == sizeof(uint32_t) ? rows / 4 * 4 : 0, c = r ? columns / 4 * 4 : 0;
  bool by_rows = distance(from_stride) > distance(to_stride);
  size_t most = by_rows ? r : c, least = by_rows ? c : r;
  for (size_t p = 0; p < most; p += 4)
    for (size_t q = 0; q < least; q += 4) {
      size_t i = by_rows ? p : q, j = by_rows ? q : p;
      transpose_fours(to + (ptrdiff_t)j * to_stride + i * element, to_stride,
                      from + (ptrdiff_t)i * from_stride + j * element, from_stride);
    }
  if (c < columns)
    transpose_single(element, to + (ptrdiff_t)c * to_stride, to_stride, from + c * element,
                     from_stride, rows, columns - c);
  if (r < rows && c > 0)
    transpose_single(element, to + r * element, to_stride, from + (ptrdiff_t)r * from_stride,
                     from_stride, rows - r, c);
}

/* Rows [begin, end) of the second last axis against all of the last, block by block. */
static void transpose_rows(size_t element, const hone_box_copy *b, char *to, const char *from) {
  int last = b->rank - 1;
  size_t columns = b->size[last - 1], rows = b->size[last];
  ptrdiff_t from_stride = b->from_stride[last], to_stride = b->to_stride[last - 1];
  for (size_t j = 0; j < columns; j += BLOCK)
    for (size_t i = 0; i < rows; i += BLOCK)
      transpose_block(element, to + (ptrdiff_t)j * to_stride + i * element, to_stride,
                      from + (ptrdiff_t)i * from_stride + j * element, from_stride,
                      rows - i < BLOCK ? rows - i : BLOCK,
                      columns - j < BLOCK ? columns - j : BLOCK);
}

/* ---- A part's share of a box ---------------------------------------------------------------- */

static void copy_innermost(size_t element, const hone_box_copy *b, char *to, const char *from) {
  int last = b->rank - 1;
  if (b->way == HONE_COPY_RUNS)
    memcpy(to, from, b->size[last] * element);
  else if (b->way == HONE_COPY_TRANSPOSED)
    transpose_rows(element, b, to, from);
  else
    copy_single(element, to, b->to_stride[last], from, b->from_stride[last], b->size[last]);
}

/* Cuts the axis of a box that is split between parts. */
static void cut(hone_box_copy *b, int axis, size_t grain, int part, int parts) {
  size_t begin, end;
  hone_split(b->size[axis], grain, part, parts, &begin, &end);
  b->from += (ptrdiff_t)begin * b->from_stride[axis];
  b->to += (ptrdiff_t)begin * b->to_stride[axis];
  b->size[axis] = end - begin;
}

/* The largest axis is split, the outermost of equals; blocks of a transposition stay whole. */
static void take_share(hone_box_copy *b, int part, int parts) {
  int widest = 0;
  if (parts == 1) return;
  for (int i = 1; i < b->rank; i++)
    if (b->size[i] > b->size[widest] && b->size[widest] < 4 * (size_t)parts) widest = i;
  cut(b, widest, widest >= b->rank - 2 ? BLOCK : 1, part, parts);
}

static void run_box(const hone_copies *copy, const hone_box_copy *box, const hone_kernel_io *io,
                    int part, int parts) {
  hone_box_copy b = *box;
  take_share(&b, part, parts);
  int outer = b.rank - (b.way == HONE_COPY_TRANSPOSED ? 2 : 1);
  for (int i = 0; i < b.rank; i++)
    if (b.size[i] == 0) return;
  const char *from = (b.in < 0 ? zeros : (const char *)io->in[b.in]) + b.from;
  char *to = (char *)io->out[b.out] + b.to;
  size_t at[HONE_MAX_BOX] = {0};
  for (;;) {
    copy_innermost(copy->element, &b, to, from);
    int axis = outer - 1;
    for (; axis >= 0; axis--) {
      from += b.from_stride[axis];
      to += b.to_stride[axis];
      if (++at[axis] < b.size[axis]) break;
      from -= (ptrdiff_t)b.size[axis] * b.from_stride[axis];
      to -= (ptrdiff_t)b.size[axis] * b.to_stride[axis];
      at[axis] = 0;
    }
    if (axis < 0) return;
  }
}

void hone_copies_run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const hone_copies *copy = args;
  for (size_t i = 0; i < copy->count; i++) run_box(copy, &copy->boxes[i], io, part, parts);
}
