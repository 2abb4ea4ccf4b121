/* Properties of every pointwise op over its types, and its values against NumPy's. */
#include <math.h>

#include "numerics.h"
#include "ops/harness.h"

static const double samples[12] = {0.75, -1.5, 2, 0, 3, -0.25, 1, 4, -3, 0.5, 5, -2};

/* Ops that the rows of pointwise.def make. */
static bool is_row(const hone_op *op) {
  static const char *const names[] = {
#define POINTWISE(name, ...) #name,
#include "ops/pointwise.def"
#undef POINTWISE
  };
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (strcmp(names[i], op->name) == 0) return true;
  return false;
}

static int inputs_of(const hone_op *op) {
  int least, most;
  hone_op_arity(op->inputs, &least, &most);
  return most;
}

static bool same_bytes(const hone_datum *a, const hone_datum *b) {
  size_t bytes;
  return a->dtype == b->dtype && hone_shape_equal(&a->shape, &b->shape) &&
         hone_shape_bytes(&a->shape, a->dtype, &bytes) && memcmp(a->data, b->data, bytes) == 0;
}

/* Runs op on x [2,1,3], y [4,1] (and z [1]), and on the same spread out to [2,4,3]. */
static void check_broadcast(const hone_op *op, hone_dtype dtype) {
  hone_arena arena = {0};
  hone_datum small[3] = {make(&arena, dtype, SHAPE(2, 1, 3), samples),
                         make(&arena, dtype, SHAPE(4, 1), samples + 3),
                         make(&arena, dtype, SHAPE(1), samples + 4)};
  hone_datum large[3];
  bench narrow, wide;
  int inputs = inputs_of(op);
  const hone_datum *in[3] = {&small[0], &small[1], &small[2]};
  CHECK_OK(bench_start(&narrow, op->name, in, inputs, 1));
  for (int i = 0; i < inputs; i++) {
    int64_t dims[] = {2, 4, 3};
    bench spread;
    hone_datum shape = make(&arena, HONE_S64, SHAPE(3), (double[]){2, 4, 3});
    if (inputs == 1) dims[1] = 1, shape = make(&arena, HONE_S64, SHAPE(3), (double[]){2, 1, 3});
    CHECK_OK(bench_start(&spread, "expand", (const hone_datum *[]){&small[i], &shape}, 2, 1));
    CHECK_OK(bench_run(&spread));
    large[i] = make(&arena, dtype, hone_shape_of(3, dims), NULL);
    size_t bytes = 0;
    (void)hone_shape_bytes(&large[i].shape, dtype, &bytes);
    memcpy(large[i].data, spread.out[0].data, bytes);
    bench_end(&spread);
    in[i] = &large[i];
  }
  CHECK_OK(bench_start(&wide, op->name, in, inputs, 1));
  hone_status *status = bench_run(&narrow);
  if (hone_status_code(status) == HONE_INVALID_MODEL) { /* not a type of this op */
    hone_status_free(status);
  } else {
    CHECK_OK(status);
    CHECK_OK(bench_run(&wide));
    if (!same_bytes(&narrow.out[0], &wide.out[0])) {
      fprintf(stderr, "%s of %s\n", op->name, hone_dtype_name(dtype));
      CHECK(!"broadcasting changes no value");
    }
    if (op->facts & HONE_COMMUTATIVE) {
      const hone_datum *first = wide.in[0];
      hone_datum kept = wide.out[0];
      wide.in[0] = wide.in[1];
      wide.in[1] = first;
      CHECK_OK(bench_run(&wide));
      for (size_t i = 0; i < 24; i++) { /* as values: 0 and -0 are one, and so are NaNs */
        double before = hone_load_real(kept.dtype, kept.data, i), after = result(&wide, i);
        CHECK(before == after || (before != before && after != after));
      }
    }
  }
  bench_end(&narrow);
  bench_end(&wide);
  hone_arena_free(&arena);
}

TEST(broadcasting_and_commutativity) {
  size_t count;
  const hone_op *const *ops = hone_op_list(&count);
  for (size_t i = 0; i < count; i++)
    for (int dtype = 1; dtype <= HONE_BOOL && is_row(ops[i]); dtype++)
      check_broadcast(ops[i], (hone_dtype)dtype);
}

TEST(empty_tensors_and_scalars) {
  size_t count;
  const hone_op *const *ops = hone_op_list(&count);
  for (size_t i = 0; i < count; i++) {
    if (!is_row(ops[i])) continue;
    hone_arena arena = {0};
    hone_datum empty = make(&arena, HONE_F32, SHAPE(3, 0, 2), NULL);
    hone_datum one = make(&arena, HONE_F32, (hone_shape){0}, samples);
    bench b;
    const hone_datum *in[] = {&empty, &one, &one};
    CHECK_OK(bench_start(&b, ops[i]->name, in, inputs_of(ops[i]), 1));
    hone_status *status = bench_run(&b);
    if (hone_status_code(status) == HONE_INVALID_MODEL)
      hone_status_free(status);
    else
      CHECK(!status && has_shape(&b.out[0], SHAPE(3, 0, 2)));
    bench_end(&b);
    hone_arena_free(&arena);
  }
}

/* Values of f64 from NumPy 2 and Python's erf to within a few ulps, exact ones exactly. */
static const struct value {
  const char *op;
  double x, y, wanted;
} values[] = {
#include "ops/pointwise_values.h"
};

TEST(values_of_numpy) {
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
    const struct value *v = &values[i];
    hone_arena arena = {0};
    hone_datum x = make(&arena, HONE_F64, (hone_shape){0}, &v->x);
    hone_datum y = make(&arena, HONE_F64, (hone_shape){0}, &v->y);
    bench b;
    int inputs = inputs_of(hone_op_find(v->op, strlen(v->op)));
    CHECK_OK(bench_start(&b, v->op, (const hone_datum *[]){&x, &y}, inputs < 2 ? 1 : 2, 1));
    CHECK_OK(bench_run(&b));
    double got = result(&b, 0), off = fabs(got - v->wanted);
    bool same = got == v->wanted || (got != got && v->wanted != v->wanted) ||
                off <= bound("reference value", "fp64") * fabs(v->wanted);
    if (!same) {
      fprintf(stderr, "%s(%a, %a) is %a, not %a\n", v->op, v->x, v->y, got, v->wanted);
      CHECK(!"the value of NumPy");
    }
    bench_end(&b);
    hone_arena_free(&arena);
  }
}

/* Integers at the edges of their types. */
static const struct whole {
  const char *op;
  hone_dtype dtype;
  int64_t x, y, wanted;
} wholes[] = {
    {"add", HONE_S8, 127, 1, -128},
    {"sub", HONE_U8, 0, 1, 255},
    {"mul", HONE_S64, INT64_MIN, -1, INT64_MIN},
    {"div", HONE_S64, INT64_MIN, -1, INT64_MIN},
    {"div", HONE_S32, -7, 2, -3},
    {"div", HONE_S32, 7, 0, 0},
    {"div", HONE_U64, -1, 2, INT64_MAX},
    {"mod", HONE_S32, -7, 3, 2},
    {"mod", HONE_S32, 7, -3, -2},
    {"mod", HONE_S64, INT64_MIN, -1, 0},
    {"pow", HONE_S32, -2, 5, -32},
    {"pow", HONE_S32, 2, -1, 0},
    {"pow", HONE_S64, -1, -3, -1},
    {"max", HONE_U64, -1, 1, -1},
    {"min", HONE_S64, -1, 1, -1},
    {"neg", HONE_S8, -128, 0, -128},
    {"abs", HONE_S64, INT64_MIN, 0, INT64_MIN},
    {"sign", HONE_S16, -9, 0, -1},
    {"shift_left", HONE_U8, 129, 1, 2},
    {"shift_left", HONE_U32, 1, 64, 0},
    {"shift_right", HONE_U64, -1, 60, 15},
    {"shift_right", HONE_S32, -8, 1, -4},
    {"bit_not", HONE_U8, 1, 0, 254},
    {"bit_xor", HONE_S4, -1, 5, -6},
    {"less", HONE_U64, -1, 1, 0},
    {"greater", HONE_S2, 1, -2, 1},
    {"not", HONE_BOOL, 0, 0, 1},
    {"xor", HONE_BOOL, 1, 1, 0},
    {"relu", HONE_S32, -5, 0, 0},
    {"equal", HONE_U4, 15, 15, 1},
};

TEST(integers_at_the_edges) {
  for (size_t i = 0; i < sizeof wholes / sizeof wholes[0]; i++) {
    const struct whole *v = &wholes[i];
    int64_t x = 0, y = 0;
    hone_store_int(v->dtype, &x, 0, v->x);
    hone_store_int(v->dtype, &y, 0, v->y);
    hone_datum in[] = {{.dtype = v->dtype, .data = &x}, {.dtype = v->dtype, .data = &y}};
    bench b;
    int inputs = inputs_of(hone_op_find(v->op, strlen(v->op)));
    CHECK_OK(bench_start(&b, v->op, (const hone_datum *[]){&in[0], &in[1]}, inputs, 1));
    CHECK_OK(bench_run(&b));
    int64_t got = hone_load_int(b.out[0].dtype, b.out[0].data, 0);
    if (got != v->wanted) {
      fprintf(stderr, "%s: %lld\n", v->op, (long long)got);
      CHECK(!"the wanted integer");
    }
    bench_end(&b);
  }
}

/* [0, 1, …] into f16: computed wide, rounded once. */
TEST(rounded_once) {
  hone_arena arena = {0};
  hone_datum x = VECTOR(&arena, HONE_F16, 2049, 0.1, 65504);
  hone_datum y = VECTOR(&arena, HONE_F16, 1, 3, 65504);
  bench b;
  x.shape = y.shape = SHAPE(3);
  CHECK_OK(bench_start(&b, "mul", (const hone_datum *[]){&x, &y}, 2, 1));
  CHECK_OK(bench_run(&b));
  CHECK(result(&b, 0) == 2048 && result(&b, 2) == INFINITY);
  CHECK(result(&b, 1) == 0.2998046875);
  bench_end(&b);
  hone_arena_free(&arena);
}

TEST(clip_with_absent_bounds) {
  hone_arena arena = {0};
  hone_datum x = VECTOR(&arena, HONE_S8, -100, 0, 100);
  double bound = 10;
  hone_datum most = make(&arena, HONE_S8, (hone_shape){0}, &bound);
  bench b;
  CHECK_OK(bench_start(&b, "clip", (const hone_datum *[]){&x, NULL, &most}, 3, 1));
  CHECK_OK(bench_run(&b));
  CHECK(result(&b, 0) == -100 && result(&b, 1) == 0 && result(&b, 2) == 10);
  bench_end(&b);
  CHECK_OK(bench_start(&b, "clip", (const hone_datum *[]){&x, &most}, 2, 1));
  CHECK_OK(bench_run(&b));
  CHECK(result(&b, 0) == 10 && result(&b, 1) == 10 && result(&b, 2) == 100);
  bench_end(&b);
  hone_arena_free(&arena);
}

TEST(wrong_types_and_shapes_are_refused) {
  hone_arena arena = {0};
  hone_datum x = VECTOR(&arena, HONE_F32, 1, 2), y = VECTOR(&arena, HONE_F32, 1, 2, 3);
  hone_datum whole = VECTOR(&arena, HONE_S32, 1, 2);
  bench b;
  CHECK_OK(bench_start(&b, "add", (const hone_datum *[]){&x, &y}, 2, 1));
  CHECK_ERROR(hone_node_infer(b.node), HONE_INVALID_MODEL, "broadcast");
  bench_end(&b);
  CHECK_OK(bench_start(&b, "add", (const hone_datum *[]){&x, &whole}, 2, 1));
  CHECK_ERROR(hone_node_infer(b.node), HONE_INVALID_MODEL, "s32");
  bench_end(&b);
  CHECK_OK(bench_start(&b, "exp", (const hone_datum *[]){&whole}, 1, 1));
  CHECK_ERROR(hone_node_infer(b.node), HONE_INVALID_MODEL, "does not take s32");
  bench_end(&b);
  hone_arena_free(&arena);
}

int main(void) {
  RUN(broadcasting_and_commutativity);
  RUN(empty_tensors_and_scalars);
  RUN(values_of_numpy);
  RUN(integers_at_the_edges);
  RUN(rounded_once);
  RUN(clip_with_absent_bounds);
  RUN(wrong_types_and_shapes_are_refused);
  return check_report();
}
