/* The passes in their order: this list is the design. Room: passes. */
#include <string.h>

#include "ir/text.h"
#include "passes/passes.h"

static const hone_pass *const pipeline[] = {
    &hone_pass_propagate,
    &hone_pass_regions,
    &hone_pass_propagate,
    &hone_pass_widen,
    &hone_pass_lower_einsum,
    &hone_pass_propagate,
    &hone_pass_simplify,
    &hone_pass_merge_equal,
    &hone_pass_propagate,
    &hone_pass_simplify,
    &hone_pass_recurrent,
    &hone_pass_propagate,
    &hone_pass_recognise,
    &hone_pass_simplify,
    &hone_pass_layout,
    &hone_pass_integers,
    &hone_pass_byte_tables,
    &hone_pass_propagate,
    &hone_pass_settle,
    &hone_pass_hoist_slices,
    &hone_pass_propagate,
    &hone_pass_settle,
    &hone_pass_fold_affine,
    &hone_pass_patches,
    &hone_pass_add_to_parts,
    &hone_pass_propagate,
    &hone_pass_lead_rows,
    &hone_pass_propagate,
    &hone_pass_merge_siblings,
    &hone_pass_precision,
    &hone_pass_narrow,
    &hone_pass_propagate,
    &hone_pass_settle,
    &hone_pass_split_products,
    &hone_pass_lower_quantize,
    &hone_pass_merge_equal,
    &hone_pass_store,
    &hone_pass_dead_code,
    &hone_pass_exact,
    &hone_pass_place,
    &hone_pass_fuse_groups,
};

const hone_pass *const *hone_pipeline(size_t *count) {
  *count = sizeof pipeline / sizeof *pipeline;
  return pipeline;
}

void hone_pass_fired(hone_pass_context *context, const char *name) {
  hone_pass_log *log = context->log;
  const int room = (int)(sizeof log->entries / sizeof *log->entries);
  if (!log) return;
  for (int i = 0; i < log->count; i++) {
    if (strcmp(log->entries[i].name, name) != 0) continue;
    log->entries[i].count++;
    return;
  }
  if (log->count == room) return;
  log->entries[log->count].name = name;
  log->entries[log->count++].count = 1;
}

bool hone_pass_keeps_f32(const hone_pass_context *context, const hone_node *node) {
  for (int i = 0; i < node->source_count; i++)
    if (hone_is_listed(context->fp32_layers, node->sources[i], strlen(node->sources[i])))
      return true;
  return false;
}

static hone_status *run_pass(const hone_pass *pass, hone_graph *graph,
                             hone_pass_context *context) {
  if (context->cancelled && context->cancelled(context->cancel_argument))
    return hone_error(HONE_CANCELLED, "cancelled before pass %s", pass->name);
  HONE_TRY(pass->run(graph, context));
  HONE_TRY(hone_graph_sweep(graph));
#ifndef NDEBUG
  HONE_TRY(hone_graph_verify(graph));
#endif
  if (context->dump) context->dump(context->dump_argument, pass->name, graph);
  return NULL;
}

hone_status *hone_run_passes(hone_graph *graph, hone_pass_context *context) {
  for (size_t i = 0; i < sizeof pipeline / sizeof *pipeline; i++)
    HONE_TRY(hone_error_at(run_pass(pipeline[i], graph, context), "pass %s", pipeline[i]->name));
  return NULL;
}
