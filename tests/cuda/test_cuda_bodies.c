/* Bodies on the GPU against their references: on the stand-in in every test run, on a real one in
 * `make test-gpu`. */
#include <stdbool.h>
#include <stdlib.h>

#include "backend/cuda/rows_tensor.h"
#include "bodies.h"

TEST(bodies) {
  for (size_t i = 0; i < CUDA_BODIES; i++) {
    const char *precision = cuda_bodies[i].precision;
    check_cuda_body(cuda_bodies[i].text, precision ? bound("on a GPU", precision) : 0);
  }
}

/* Every row of pointwise.def over the classes that it takes, eight of them in one body. */
static void check_class(hone_dtype_class klass, const char *dtype, double tolerance) {
  size_t count, at = 0;
  const hone_op *const *ops = hone_op_list(&count);
  while (at < count) {
    char outputs[64] = "", nodes[1600] = "", text[2000];
    int least, most, taken = 0;
    for (; at < count && taken < 8; at++) {
      const hone_pointwise_meaning *meaning = hone_pointwise_meaning_of(ops[at]);
      if (!meaning || !(meaning->classes >> klass & 1)) continue;
      hone_op_arity(ops[at]->inputs, &least, &most);
      snprintf(outputs + strlen(outputs), sizeof outputs - strlen(outputs), "%so%d",
               taken ? ", " : "", taken);
      snprintf(nodes + strlen(nodes), sizeof nodes - strlen(nodes), " o%d = %s(%s)\n", taken++,
               ops[at]->name,
               most == 1   ? "x"
               : most == 2 ? "x, y"
                           : "x, y, z");
    }
    if (taken == 0) return;
    snprintf(text, sizeof text, "graph g(x: %s[3, 17], y: %s[3, 17], z: %s[17]) -> (%s) {\n%s}",
             dtype, dtype, dtype, outputs, nodes);
    check_cuda_body(text, tolerance);
  }
}

TEST(every_pointwise_op) {
  check_class(HONE_CLASS_FLOAT, "f32", bound("pointwise on a GPU", "fp32"));
  check_class(HONE_CLASS_SIGNED, "s32", 0);
  check_class(HONE_CLASS_UNSIGNED, "u8", 0);
  check_class(HONE_CLASS_BOOLEAN, "bool", 0);
}

/* Tiles by boxes, in one part of the depth and in several: windows over borders, steps, dilations,
 * channels and columns that no box ends at, both layouts on the right. */
static const struct {
  const char *name, *precision, *text;
} boxed[] = {
    {"cuda.conv_f16", "f16", "graph g(x: f16[2, 9, 7, 72], r: f16[2, 5, 4, 24]) -> (o) {\n"
     " w = const f16[3, 3, 72, 24] @weights+80000\n b = const f16[24] @weights+80064\n"
     " y = conv(x, w, b) {pads=[1, 1, 1, 1], strides=[2, 2]}\n z = add(y, r)\n o = relu(z)\n}"},
    {"cuda.conv_f16", "f16", "graph g(x: f16[1, 13, 12, 8]) -> (o) {\n"
     " w = const f16[2, 3, 8, 16] @weights+80000\n"
     " o = conv(x, w) {dilations=[2, 1], pads=[0, 2, 1, 0]}\n}"},
    {"cuda.conv_tensor", "bf16", "graph g(x: bf16[1, 9, 15, 80]) -> (o) {\n"
     " w = const bf16[1, 1, 80, 136] @weights+112768\n o = conv(x, w)\n}"},
    {"cuda.matmul_f16", "f16", "graph g(a: f16[70, 200], b: f16[200, 264], c: f16[264]) -> (o) {\n"
     " y = matmul(a, b, c) {alpha=0.5}\n o = gelu(y)\n}"},
    {"cuda.matmul_f16", "f16", "graph g(a: f16[3, 70, 200], b: f16[72, 200]) -> (o) {\n"
     " o = matmul(a, b) {transpose_b=true}\n}"},
};

TEST(every_tile_of_boxes) {
  int sm = 0, taken = 0;
  CHECK_OK(hone_cuda_capability(&sm));
  for (size_t i = 0; sm == 90 && i < sizeof boxed / sizeof *boxed; i++)
    for (int tile = 0; tile < HONE_CUDA_BOXED_TILES; tile++)
      for (int cut = 0; cut < 3; cut++) {
        int all = HONE_CUDA_BOXED_FORM + HONE_CUDA_BOXED_TILES;
        hone_candidate one = {boxed[i].name, 1 + HONE_CUDA_BOXED_FORM + tile + all * cut, 0, NULL};
        taken += check_cuda_candidate(boxed[i].text, bound("on a GPU", boxed[i].precision), &one);
      }
  printf("%d products of boxes\n", taken);
  CHECK(sm != 90 || taken >= 40);
}

int main(void) {
  make_cuda_weights();
  hone_status *status = hone_backend_cuda.device->usable();
  if (status) {
    bool named = getenv("HONE_CUDA_DRIVER") != NULL; /* a stand-in, which has to do */
    printf("%s: %s\n", named ? "failed" : "skipped", hone_status_message(status));
    hone_status_free(status);
    return named;
  }
  RUN(bodies);
  RUN(every_pointwise_op);
  RUN(every_tile_of_boxes);
  CHECK(cuda_candidates_run > 20);
  return check_report();
}
