/* Every kernel but those of libraries compiles for every GPU that Hone runs on, by the real NVRTC;
 * where there is none, the count of what was skipped is said. */
#include "backend/cuda/nvrtc.h"
#include "backend/cuda/stage.h"
#include "base/map.h"
#include "bodies.h"

static const int targets[] = {75, 80, 86, 89, 90, 100, 120};
#define TARGETS (sizeof targets / sizeof *targets)

static int compiled, skipped;

static void compile_form(const hone_nvrtc *nvrtc, const hone_cuda_stage *stage, int form, int sm) {
  const hone_cuda_form *f = &stage->kernel->forms[form];
  hone_text text = {0};
  hone_nvrtc_code code = {NULL, 0, NULL, 0, false};
  hone_cuda_stage_text(stage, form, &text);
  hone_status *status = hone_text_status(&text);
  if (!status)
    status = hone_nvrtc_compile(nvrtc, text.data, stage->kernel->name, sm,
                                f->boxed || f->alone, &code);
  if (status) fprintf(stderr, "%s\n", text.data);
  CHECK_OK(status);
  CHECK(status || (code.cubin_size > 0 && code.ptx_size > 0));
  if (code.serial)
    fprintf(stderr, "products of %s %d wait for each other\n", stage->kernel->name, form);
  CHECK(!code.serial);
  compiled++;
  hone_free(code.cubin);
  hone_free(code.ptx);
  hone_text_free(&text);
}

/* One form of the kernel's, or all that do not differ in their choices alone; of a row that has an
 * order, and few bodies, all; of one whose variants are its forms, that of the variant. */
static void compile_stage(const hone_nvrtc *nvrtc, const hone_cuda_stage *stage, int sm, size_t turn) {
  const hone_cuda_form *forms = stage->kernel->forms;
  size_t has[HONE_CUDA_FORMS], count = 0;
  for (int i = 0; i < HONE_CUDA_FORMS; i++)
    if (hone_cuda_has_form(stage, i, sm)) has[count++] = (size_t)i;
  for (size_t i = 0; i < count; i++)
    if (!forms[has[i]].choices || stage->kernel->order || turn % count == i)
      compile_form(nvrtc, stage, (int)has[i], sm);
}

/* The first body of a kernel is compiled for every target, the others for one of them in turn; tiles of
 * several sizes, which are one text with other choices, in turn as well. */
static void compile_way(const hone_nvrtc *nvrtc, const hone_graph *graph, hone_cuda_way way,
                        hone_map *seen, int sm, size_t form, bool turn) {
  hone_arena memory = {0};
  hone_cuda_body *body = NULL;
  CHECK_OK(hone_cuda_body_make(graph, sm, way, &memory, &body));
  for (int s = 0; body && s < body->stage_count; s++) {
    char key[80];
    const hone_cuda_kernel *row = body->stages[s].kernel;
    int variant = row->form_a_variant ? way.variant : 0;
    int size = snprintf(key, sizeof key, "%s %d %d", row->name, sm, variant);
    bool known = hone_map_get(seen, key, (size_t)size);
    CHECK_OK(hone_map_put(seen, key, (size_t)size, seen));
    CHECK_OK(hone_map_put(seen, key, strcspn(key, " "), seen));
    if (!nvrtc) skipped++;
    else if (!known || turn) compile_stage(nvrtc, &body->stages[s], sm, form);
  }
  hone_arena_free(&memory);
}

/* Whether the row's kernel computes all stages of the body. */
static bool spans_body(const hone_graph *graph, const hone_cuda_kernel *row, int sm) {
  hone_arena memory = {0};
  hone_cuda_body *body = NULL;
  hone_status *status = hone_cuda_body_make(graph, sm, (hone_cuda_way){row, 1}, &memory, &body);
  bool good = !status && body->stages[body->stage_count - 1].kernel == row;
  hone_status_free(status);
  hone_arena_free(&memory);
  return good;
}

/* By the first rows, and by those of ours that are taken only where a build chose them: where variants
 * are forms, by all. */
static void compile_for(const hone_nvrtc *nvrtc, const hone_graph *graph, hone_map *seen, int sm,
                        size_t form, bool turn) {
  size_t count;
  const hone_cuda_kernel *const *rows = hone_cuda_kernels(&count);
  compile_way(nvrtc, graph, (hone_cuda_way){0}, seen, sm, form, turn);
  for (size_t i = 0; i < count; i++)
    for (int v = 1; v <= (rows[i]->form_a_variant ? rows[i]->variants : 1) && rows[i]->spans; v++)
      if (spans_body(graph, rows[i], sm))
        compile_way(nvrtc, graph, (hone_cuda_way){rows[i], v}, seen, sm, form, turn);
  for (size_t i = 0; i < count; i++)
    for (const hone_node *n = graph->first; rows[i]->only_chosen && !rows[i]->needs && n; n = n->next)
      if (hone_cuda_kernel_takes(rows[i], n, sm))
        compile_way(nvrtc, graph, (hone_cuda_way){rows[i], 1}, seen, sm, form, turn);
}

static void compile_body(const hone_nvrtc *nvrtc, const char *text, hone_map *seen, size_t turn) {
  hone_graph *graph = NULL;
  CHECK_OK(hone_graph_parse(text, strlen(text), hone_op_find, body_weights, &graph));
  for (size_t t = 0; graph && t < TARGETS; t++)
    compile_for(nvrtc, graph, seen, targets[t], t + turn / TARGETS, t == turn % TARGETS);
  hone_graph_free(graph);
}

static const char *only; /* of the bodies those whose text has it; NULL: all */

TEST(every_kernel_compiles) {
  const hone_nvrtc *nvrtc = NULL;
  hone_map seen = {0};
  size_t count;
  hone_status *status = hone_nvrtc_get(&nvrtc);
  if (status) nvrtc = NULL;
  hone_status_free(status);
  for (size_t i = 0; i < CUDA_BODIES; i++)
    if (!only || strstr(cuda_bodies[i].text, only)) compile_body(nvrtc, cuda_bodies[i].text, &seen, i);
  const hone_cuda_kernel *const *rows = hone_cuda_kernels(&count);
  for (size_t i = 0; i < count && !only; i++)
    if (!rows[i]->needs && !hone_map_get(&seen, rows[i]->name, strlen(rows[i]->name))) {
      fprintf(stderr, "no body has kernel %s\n", rows[i]->name);
      check_failed++;
    }
  hone_map_free(&seen);
  printf("%d compiled, %d skipped for want of NVRTC\n", compiled, skipped);
}

int main(int count, char **arguments) {
  if (count > 1) only = arguments[1];
  make_cuda_weights();
  RUN(every_kernel_compiles);
  return check_report();
}
