/* byte_mean nodes: blocks of channels, each over all pixels of an image. Room: backend/cpu/nodes. */
#include <math.h>

#include "backend/cpu/lines/strips.h"
#include "backend/cpu/nodes/node.h"
#include "base/pool.h"

enum { BLOCK = HONE_STRIP_BYTES, MOST_ROWS = 1 << 24 };

typedef struct byte_mean {
  size_t images, rows, columns;
  uint8_t flip; /* turns signed bytes into unsigned ones, 128 more */
  const hone_strips *strips;
} byte_mean;

static double sum_of(const byte_mean *m, uint64_t total) {
  return (double)total - (m->flip ? 128.0 * (double)m->rows : 0);
}

static void run_block(const byte_mean *m, const uint8_t *x, size_t count, float *y) {
  uint64_t total[BLOCK] = {0};
  for (size_t k = 0; k < m->rows; k += MOST_ROWS) {
    uint32_t some[BLOCK];
    size_t rows = m->rows - k < MOST_ROWS ? m->rows - k : MOST_ROWS;
    m->strips->sum_rows_u8(x + k * m->columns, m->columns, rows, count, m->flip, some);
    for (size_t c = 0; c < count; c++) total[c] += some[c];
  }
  for (size_t c = 0; c < count; c++)
    y[c] = m->rows ? (float)(sum_of(m, total[c]) / (double)m->rows) : NAN;
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const byte_mean *m = args;
  size_t blocks = (m->columns + BLOCK - 1) / BLOCK, begin, end;
  hone_split(m->images * blocks, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t image = i / blocks, column = i % blocks * BLOCK, left = m->columns - column;
    run_block(m, (const uint8_t *)io->in[0] + image * m->rows * m->columns + column,
              left < BLOCK ? left : BLOCK, (float *)io->out[0] + image * m->columns + column);
  }
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  hone_dtype dtype = node->inputs[0].value->type.dtype;
  (void)row;
  return dtype == HONE_U8 || dtype == HONE_S8;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  const hone_shape *x = &view->in[0]->shape;
  byte_mean *m = HONE_NEW(arena, byte_mean);
  (void)row;
  HONE_TRY_MEMORY(m);
  *m = (byte_mean){.images = hone_shape_span(x, 0, 1),
                   .rows = hone_shape_span(x, 1, x->rank - 1),
                   .columns = hone_shape_span(x, x->rank - 1, x->rank),
                   .flip = view->in[0]->dtype == HONE_S8 ? 0x80 : 0,
                   .strips = hone_strips_here()};
  out->work = (double)m->images * (double)m->rows * (double)m->columns * 0.02;
  out->kernel = hone_one_phase(run, m);
  return NULL;
}

const hone_node_functions hone_node_byte_mean = {.accepts = accepts, .plan = plan};
