/* Copying boxes. Room: backend/cpu/lines. */
#include "backend/cpu/lines/copy.h"

#include <string.h>

#include "backend/cpu/lines/by_element.h"
#include "backend/cpu/lines/transpose.h"
#include "base/pool.h"

#define BLOCK HONE_TRANSPOSE_BLOCK

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

/* `count` elements, each stride its own; memcpy because 16-byte elements may lie at 8. One element
 * for all of a run is stored by vectors. */
static void copy_single(size_t element, char *to, ptrdiff_t to_stride, const char *from,
                        ptrdiff_t from_stride, size_t count) {
#define SINGLE(type)                                                                        \
  if (from_stride == 0 && to_stride == (ptrdiff_t)sizeof(type)) {                           \
    type value;                                                                             \
    memcpy(&value, from, sizeof value);                                                     \
    for (size_t i = 0; i < count; i++) memcpy(to + i * sizeof(type), &value, sizeof value); \
  } else {                                                                                  \
    for (size_t i = 0; i < count; i++, to += to_stride, from += from_stride)                \
      memcpy(to, from, sizeof(type));                                                       \
  }
  HONE_BY_ELEMENT(element, SINGLE)
#undef SINGLE
}

/* What lies in `block` bytes at `to` again and again, `times` in all. */
static void repeat(char *to, size_t block, size_t times) {
  size_t all = block * times;
  for (size_t done = block, now; done < all; done += now) {
    now = done < all - done ? done : all - done;
    memcpy(to + done, to, now);
  }
}

/* Where a block begins: a last one that vectors would leave a rest of ends at the edge, and does some of
 * the one before it again. */
static size_t block_begin(size_t element, size_t at, size_t size) {
  size_t edge = element <= 4 ? HONE_TRANSPOSE_BLOCK / element : 1;
  return size >= BLOCK && at + BLOCK > size && (size - at) % edge ? size - BLOCK : at;
}

/* The second last axis against the last, block by block. */
static void transpose_rows(size_t element, const hone_box_copy *b, char *to, const char *from) {
  int last = b->rank - 1;
  size_t columns = b->size[last - 1], rows = b->size[last];
  ptrdiff_t from_stride = b->from_stride[last], to_stride = b->to_stride[last - 1];
  for (size_t c = 0; c < columns; c += BLOCK)
    for (size_t r = 0; r < rows; r += BLOCK) {
      size_t i = block_begin(element, r, rows), j = block_begin(element, c, columns);
      hone_transpose_block(element, to + (ptrdiff_t)j * to_stride + i * element, to_stride,
                           from + (ptrdiff_t)i * from_stride + j * element, from_stride,
                           rows - i < BLOCK ? rows - i : BLOCK,
                           columns - j < BLOCK ? columns - j : BLOCK);
    }
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

/* The axes, by bit, along which one block of the destination repeats: it need be copied once. */
static unsigned repeated_axes(const hone_box_copy *b, size_t element) {
  int last = b->rank - 1;
  size_t block = b->size[last] * element;
  unsigned found = 0;
  if (b->way == HONE_COPY_TRANSPOSED || b->to_stride[last] != (ptrdiff_t)element) return 0;
  for (int i = last - 1; i >= 0 && b->to_stride[i] == (ptrdiff_t)block; i--) {
    if (b->from_stride[i] == 0) found |= 1u << i;
    block *= b->size[i];
  }
  return found;
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
  unsigned repeated = repeated_axes(&b, copy->element);
  for (;;) {
    copy_innermost(copy->element, &b, to, from);
    int axis = outer - 1;
    for (; axis >= 0; axis--) {
      if (repeated >> axis & 1) {
        repeat(to, (size_t)b.to_stride[axis], b.size[axis]);
        continue;
      }
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
