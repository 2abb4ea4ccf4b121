/* Other weights into a running program's engine, without measuring again.
 *
 *   new_weights
 *
 * y = x w, with w [2, 2] first the identity, then twice the identity. The first engine goes on with
 * the weights it had: requests that run meanwhile are not disturbed.
 */
#include <stdio.h>
#include <stdlib.h>

#include <hone/network.h>
#include <hone/refit.h>

static void check(hone_status *status) {
  if (!status) return;
  fprintf(stderr, "%s: %s: %s\n", hone_code_name(hone_status_code(status)),
          hone_status_place(status), hone_status_message(status));
  hone_status_free(status);
  exit(1);
}

static hone_tensor matrix(const float *data, int64_t rows, int64_t columns) {
  hone_tensor tensor = {.struct_size = sizeof tensor,
                        .dtype = HONE_F32,
                        .rank = 2,
                        .dims = {rows, columns},
                        .data = (void *)(uintptr_t)data};
  tensor.size = hone_tensor_bytes(&tensor);
  return tensor;
}

static hone_engine *build(const hone_tensor *weights) {
  hone_network *net;
  hone_model *model;
  hone_engine *engine;
  hone_value *x, *w, *y;
  check(hone_network_new("product", &net));
  check(hone_network_input(net, "x", "f32[n, 2]", &x));
  check(hone_network_constant(net, "w", weights, &w));
  check(hone_network_matmul(net, "product", x, w, NULL, &y));
  check(hone_network_output(net, y, "y"));
  check(hone_network_finish(net, &model));
  check(hone_build(model, NULL, &engine)); /* measures */
  hone_model_free(model);
  hone_network_free(net);
  return engine;
}

static hone_engine *replace(const hone_engine *engine, const hone_tensor *weights) {
  hone_model *model;
  hone_engine *changed;
  check(hone_engine_model(engine, &model)); /* a copy of our own */
  check(hone_weight_set(model, "w", weights));
  check(hone_refit(engine, model, &changed)); /* measures nothing */
  hone_model_free(model);
  return changed;
}

static void run(hone_engine *engine) {
  static const float row[] = {3, 4};
  hone_tensor x = matrix(row, 1, 2), y = {.struct_size = sizeof y};
  hone_context *context;
  check(hone_context_new(engine, NULL, &context));
  check(hone_set_input(context, 0, &x));
  check(hone_run(context));
  check(hone_get_output(context, 0, &y));
  const float *numbers = y.data;
  printf("%g %g\n", (double)numbers[0], (double)numbers[1]);
  hone_context_free(context);
}

int main(void) {
  static const float one[] = {1, 0, 0, 1}, two[] = {2, 0, 0, 2};
  hone_tensor before = matrix(one, 2, 2), after = matrix(two, 2, 2);
  hone_engine *engine = build(&before), *changed = replace(engine, &after);
  run(engine);
  run(changed);
  hone_engine_free(changed);
  hone_engine_free(engine);
  return 0;
}
