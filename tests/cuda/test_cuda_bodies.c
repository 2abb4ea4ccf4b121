/* Bodies on the GPU against their references: on the stand-in in every test run, on a real one in
 * `make test-gpu`. */
#include <stdbool.h>
#include <stdlib.h>

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
  return check_report();
}
