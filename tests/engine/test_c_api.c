/* The interface as a whole: the layout of what crosses it, the logger, the limit on memory. */
#include <hone/op.h>

#include "engines.h"

/* ---- Layout: a change here breaks programs that are compiled already ---------------------------
 */

#define AT(type, member, offset) \
  _Static_assert(offsetof(type, member) == (offset), #type "." #member " has moved")
#define SIZE(type, size) _Static_assert(sizeof(type) == (size), #type " has another size")

#if UINTPTR_MAX == UINT64_MAX
AT(hone_tensor, struct_size, 0);
AT(hone_tensor, kind, 8);
AT(hone_tensor, dtype, 12);
AT(hone_tensor, rank, 16);
AT(hone_tensor, memory, 20);
AT(hone_tensor, dims, 24);
AT(hone_tensor, data, 88);
AT(hone_tensor, size, 96);
AT(hone_tensor, items, 104);
AT(hone_tensor, count, 112);
SIZE(hone_tensor, 120); /* part of hone_port: it cannot grow */
AT(hone_port, name, 8);
AT(hone_port, type, 16);
AT(hone_port, dim_names, 136);
AT(hone_option_info, name, 8);
AT(hone_option_info, help, 48);
AT(hone_string, data, 0);
SIZE(hone_string, 16);
SIZE(hone_bytes, 16);
AT(hone_shape_call, node, 8);
AT(hone_shape_call, inputs, 32);
AT(hone_shape_call, outputs, 40);
AT(hone_shape_call, planning, 48);
AT(hone_reference_call, inputs, 32);
AT(hone_reference_call, outputs, 40);
AT(hone_plan_call, outputs, 40);
AT(hone_plan_call, threads, 48);
AT(hone_plan_call, parts, 52);
AT(hone_plan_call, phases, 56);
AT(hone_plan_call, scratch, 64);
AT(hone_plan_call, plan, 72);
AT(hone_kernel_call, plan, 8);
AT(hone_kernel_call, scratch, 32);
AT(hone_kernel_call, phase, 40);
AT(hone_kernel_call, parts, 48);
AT(hone_op_definition, domain, 8);
AT(hone_op_definition, attributes, 40);
AT(hone_op_definition, flags, 48);
AT(hone_op_definition, shape, 56);
AT(hone_op_definition, user, 88);
#endif
_Static_assert(HONE_INTERNAL == 12 && HONE_CANCELLED == 10 && HONE_LIMIT == 5, "codes are ABI");
_Static_assert(HONE_F32 == 1 && HONE_S64 == 11 && HONE_STR == 24 && HONE_C128 == 26,
               "element types are ABI");

/* Callers compiled against an older struct get no more than they have room for. */
TEST(older_structs_are_respected) {
  struct {
    hone_option_info info;
    char after[8];
  } room;
  memset(&room, 0x55, sizeof room);
  room.info.struct_size = offsetof(hone_option_info, fallback);
  CHECK_OK(hone_option_at(0, &room.info));
  CHECK(strcmp(room.info.kind, "text") == 0);
  CHECK(((unsigned char *)&room.info.fallback)[0] == 0x55 && room.after[0] == 0x55);
  CHECK_ERROR(hone_option_at(1000, &room.info), HONE_NOT_FOUND, "1000");
}

/* ---- The logger --------------------------------------------------------------------------------
 */

typedef struct heard {
  int lines, worst;
  char last[1000];
} heard;

static void listen(void *argument, int severity, const char *message) {
  heard *h = argument;
  h->lines++;
  if (severity < h->worst) h->worst = severity;
  snprintf(h->last, sizeof h->last, "%s", message);
}

TEST(the_logger_hears_what_would_be_printed) {
  heard h = {.worst = 9};
  hone_set_logger(listen, &h);
  hone_model *model = engine_model("graph g(x: f32[n, 2], y: f32[m, 2]) -> (z) { z = add(x, y) }");
  hone_options *options = NULL;
  hone_engine *engine = NULL;
  CHECK_OK(hone_options_new(&options));
  CHECK_OK(hone_options_set(options, "shapes", "x:3x2,y:4x2")); /* they do not broadcast */
  CHECK_OK(hone_build(model, options, &engine));
  CHECK(h.lines == 1 && h.worst == 2 && strstr(h.last, "without measuring"));
  hone_set_logger(NULL, NULL);
  hone_engine_free(engine);
  hone_options_free(options);
  hone_model_free(model);
  CHECK(h.lines == 1);
}

/* ---- The limit on memory ------------------------------------------------------------------------
 */

static hone_context *limited(hone_engine *engine, size_t bytes) {
  char text[32];
  hone_options *options = NULL;
  hone_context *context = NULL;
  snprintf(text, sizeof text, "%zu", bytes);
  CHECK_OK(hone_options_new(&options));
  CHECK_OK(hone_options_set(options, "memory-limit", text));
  CHECK_OK(hone_context_new(engine, options, &context));
  hone_options_free(options);
  return context;
}

/* Runs under a limit; the bytes that the refusal says it takes, 0 where it ran. */
static size_t refused(hone_engine *engine, size_t limit, const picture *p, const char *wanted) {
  hone_context *context = limited(engine, limit);
  size_t needed = 0;
  CHECK_OK(hone_set_input(context, 0, &p->tensor));
  hone_status *status = hone_run(context);
  if (status) {
    const char *message = hone_status_message(status), *at = strstr(message, "take ");
    CHECK(hone_status_code(status) == HONE_LIMIT && at && strstr(message, wanted));
    if (at) needed = strtoull(at + 5, NULL, 10);
    CHECK(needed > limit);
    hone_tensor out = {.struct_size = sizeof out};
    CHECK_ERROR(hone_get_output(context, 0, &out), HONE_INVALID_ARGUMENT, "not run");
  } else {
    CHECK(hone_context_memory(context) > 0);
  }
  hone_status_free(status);
  hone_context_free(context);
  return needed;
}

TEST(a_limit_on_memory_refuses_with_numbers) {
  hone_model *model = engine_model(engine_kernels_net);
  hone_engine *engine = engine_build(model, NULL, NULL);
  picture small = picture_of(1, 8, 8), large = picture_of(2, 64, 64);
  size_t needed = refused(engine, 1000, &large, "the limit is 1000; the largest are \"");
  CHECK(needed > 2u * 32 * 32 * 16 * 4);
  /* The plan is in the cache by now: it is refused all the same, and runs where it just fits. */
  CHECK(refused(engine, 1000, &large, "with 131072") == needed);
  CHECK(refused(engine, needed - 1, &large, "limit") == needed);
  CHECK(refused(engine, needed, &large, "") == 0);
  CHECK(refused(engine, needed - 1, &small, "") == 0);
  hone_engine_free(engine);
  /* What the reference takes counts as well. */
  engine = engine_build(model, "kernels", "reference");
  CHECK(refused(engine, 1000, &large, "the largest are \"") >= 3 * 2u * 32 * 32 * 16 * 4);
  hone_engine_free(engine);
  free(small.data);
  free(large.data);
  hone_model_free(model);
}

/* A context that was refused runs other sizes. */
TEST(a_refused_context_goes_on) {
  hone_model *model = engine_model(engine_kernels_net);
  hone_engine *engine = engine_build(model, NULL, NULL);
  hone_context *context = limited(engine, 20000);
  picture small = picture_of(1, 8, 8), large = picture_of(1, 64, 64);
  for (int i = 0; i < 2; i++) {
    CHECK_OK(hone_set_input(context, 0, &large.tensor));
    CHECK_ERROR(hone_run(context), HONE_LIMIT, "the limit is 20000");
    CHECK_OK(hone_set_input(context, 0, &small.tensor));
    CHECK_OK(hone_run(context));
  }
  hone_context_free(context);
  hone_engine_free(engine);
  hone_model_free(model);
  free(small.data);
  free(large.data);
}

int main(void) {
  RUN(older_structs_are_respected);
  RUN(the_logger_hears_what_would_be_printed);
  RUN(a_limit_on_memory_refuses_with_numbers);
  RUN(a_refused_context_goes_on);
  return check_report();
}
