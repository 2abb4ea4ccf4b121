/* An operator of our own in a network, saved in an engine, opened and run.
 *
 *   own_op net.hone
 *
 * The operator is in power_norm.c. It has to be registered before a model or an engine that holds
 * it is opened; this program does so itself, the command hone with --plugins.
 */
#include <stdio.h>
#include <stdlib.h>

#include <hone/network.h>

#include "power_norm.h"

static void check(hone_status *status) {
  if (!status) return;
  fprintf(stderr, "%s: %s: %s\n", hone_code_name(hone_status_code(status)),
          hone_status_place(status), hone_status_message(status));
  hone_status_free(status);
  exit(1);
}

/* relu(x), then our op. */
static void build(const char *path) {
  hone_network *net;
  hone_model *model;
  hone_engine *engine;
  hone_value *x, *y;
  check(hone_network_new("own_op", &net));
  check(hone_network_input(net, "x", "f32[n, 4]", &x));
  check(hone_network_unary(net, "relu", "relu", x, NULL, &x));
  check(hone_network_add(net, "norm", "com.example/PowerNorm", &x, 1, "power=0.5", &y, 1));
  check(hone_network_output(net, y, "y"));
  check(hone_network_finish(net, &model));
  check(hone_build(model, NULL, &engine));
  check(hone_engine_save(engine, path));
  hone_engine_free(engine);
  hone_model_free(model);
  hone_network_free(net);
}

int main(int argc, char **argv) {
  if (argc < 2) return fprintf(stderr, "usage: own_op ENGINE\n"), 1;
  check(hone_plugin());
  build(argv[1]);
  hone_engine *engine;
  hone_context *context;
  check(hone_engine_open(argv[1], NULL, &engine));
  check(hone_context_new(engine, NULL, &context));
  static float numbers[] = {1, 4, 9, -16, 16, 0, 9, 0};
  hone_tensor x = {.struct_size = sizeof x,
                   .dtype = HONE_F32,
                   .rank = 2,
                   .dims = {2, 4},
                   .data = numbers,
                   .size = sizeof numbers};
  hone_tensor y = {.struct_size = sizeof y};
  check(hone_set_input(context, 0, &x));
  check(hone_run(context));
  check(hone_get_output(context, 0, &y));
  for (int i = 0; i < 8; i++)
    printf(i % 4 == 3 ? "%.6f\n" : "%.6f ", (double)((const float *)y.data)[i]);
  hone_context_free(context);
  hone_engine_free(engine);
  return 0;
}
