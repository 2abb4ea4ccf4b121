/* com.example/PowerNorm: y = sign(x) |x|^power, each row divided by its length. Descriptors for
 * picture search are normalised so.
 *
 * A shape function, a reference and a kernel. Linked into own_op.c, and built as a library of its
 * own that `hone build --plugins` takes.
 */
#include "power_norm.h"

#include <math.h>

/* The result is like x, which has rows. */
static hone_status *shape(void *user, hone_shape_call *call) {
  (void)user;
  const hone_tensor *x = call->inputs[0];
  hone_tensor *y = call->outputs[0];
  if (x->dtype != HONE_F32 && x->dtype != HONE_DTYPE_NONE)
    return hone_status_new(HONE_INVALID_MODEL, "PowerNorm takes f32");
  if (x->rank == 0) return hone_status_new(HONE_INVALID_MODEL, "PowerNorm takes no scalar");
  y->dtype = HONE_F32;
  y->rank = x->rank;
  for (int i = 0; i < x->rank; i++) y->dims[i] = x->dims[i]; /* known or not: the same */
  return NULL;
}

static void normalise(const float *x, float *y, int64_t size, double power) {
  double sum = 0;
  for (int64_t i = 0; i < size; i++) {
    double value = copysign(pow(fabs((double)x[i]), power), (double)x[i]);
    y[i] = (float)value;
    sum += value * value;
  }
  double factor = sum > 0 ? 1 / sqrt(sum) : 0;
  for (int64_t i = 0; i < size; i++) y[i] = (float)((double)y[i] * factor);
}

static void split_rows(const hone_tensor *x, int64_t *rows, int64_t *size) {
  *size = x->dims[x->rank - 1];
  *rows = 1;
  for (int i = 0; i < x->rank - 1; i++) *rows *= x->dims[i];
}

/* What the op means, plainly. */
static hone_status *reference(void *user, hone_reference_call *call) {
  (void)user;
  const float *x = call->inputs[0]->data;
  float *y = call->outputs[0]->data;
  int64_t rows, size;
  split_rows(call->inputs[0], &rows, &size);
  for (int64_t r = 0; r < rows; r++)
    normalise(x + r * size, y + r * size, size, hone_attribute_real(call->node, "power"));
  return NULL;
}

/* What the kernel has to know of the sizes at hand. */
typedef struct arguments {
  int64_t rows, size;
  double power;
} arguments;

/* Once for new sizes; a row is the least that a thread gets. */
static hone_status *plan(void *user, hone_plan_call *call) {
  (void)user;
  arguments *a = hone_plan_memory(call, sizeof *a);
  if (!a) return hone_status_new(HONE_OUT_OF_MEMORY, "no memory for a plan");
  split_rows(call->inputs[0], &a->rows, &a->size);
  a->power = hone_attribute_real(call->node, "power");
  call->plan = a;
  if (a->rows < call->parts) call->parts = a->rows > 0 ? (int32_t)a->rows : 1;
  return NULL;
}

/* Each part has rows of its own: the bits do not depend on how many parts there are. */
static void kernel(void *user, const hone_kernel_call *call) {
  (void)user;
  const arguments *a = call->plan;
  const float *x = call->inputs[0];
  float *y = call->outputs[0];
  int64_t begin = a->rows * call->part / call->parts;
  int64_t end = a->rows * (call->part + 1) / call->parts;
  for (int64_t r = begin; r < end; r++)
    normalise(x + r * a->size, y + r * a->size, a->size, a->power);
}

hone_status *hone_plugin(void) {
  static const hone_op_definition definition = {.struct_size = sizeof definition,
                                                .domain = "com.example",
                                                .name = "PowerNorm",
                                                .inputs = "x",
                                                .outputs = "y",
                                                .attributes = "power: real = 0.5",
                                                .shape = shape,
                                                .reference = reference,
                                                .plan = plan,
                                                .kernel = kernel};
  return hone_op_define(&definition);
}
