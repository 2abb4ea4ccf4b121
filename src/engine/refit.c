/* Engines made again for other weights, and the model behind an engine. Room: engine. */
#include <hone/refit.h>

#include "base/log.h"
#include "engine/choices.h"
#include "engine/format.h"
#include "ir/text.h"

static void release_model(void *model) {
  hone_model_free(model);
}

hone_status *hone_model_copy(const hone_model *model, hone_model **out) {
  hone_graph *graph;
  HONE_TRY(hone_graph_copy(model->graph, &graph));
  hone_model *kept = hone_model_retain(model);
  hone_status *status = hone_graph_keep(graph, release_model, kept);
  if (status) {
    hone_model_free(kept);
    hone_graph_free(graph);
    return status;
  }
  return hone_model_wrap(graph, out);
}

/* The imported graph out of an engine file; its weights stay in the mapped file. */
static hone_status *read_source(hone_file *file, hone_model **out) {
  hone_format_view view;
  hone_graph *graph;
  HONE_TRY(hone_format_read(hone_file_bytes(file), &view));
  hone_bytes text = view.sections[HONE_SECTION_SOURCE];
  if (!text.size)
    return hone_error(HONE_UNSUPPORTED,
                      "the engine file does not hold its model: build it with "
                      "the option refit, or refit with a model file");
  HONE_TRY(hone_graph_parse(text.data, text.size, hone_op_find, view.sections[HONE_SECTION_WEIGHTS],
                            &graph));
  hone_status *status = hone_graph_keep_file(graph, hone_file_retain(file));
  if (status) {
    hone_graph_free(graph);
    return status;
  }
  return hone_model_wrap(graph, out);
}

hone_status *hone_engine_model(const hone_engine *engine, hone_model **out) {
  HONE_TRY(hone_stored_check_rest(engine->stored));
  if (engine->model) return hone_model_copy(engine->model, out);
  return hone_error_at(read_source(engine->file, out), "section source");
}

hone_status *hone_refit(const hone_engine *engine, const hone_model *model, hone_engine **out) {
  hone_choices choices = {.missed = 0};
  hone_status *status = hone_choices_read(engine, &choices);
  if (!status) status = hone_build_like(engine, model, &choices, out);
  if (!status && choices.missed)
    hone_log(HONE_LOG_WARNING,
             "the new weights make another graph: %zu groups are new and have "
             "the kernel that the cost model expects to be fastest",
             choices.missed);
  hone_choices_free(&choices);
  return status;
}
