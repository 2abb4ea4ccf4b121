/* Weights replaced without measuring again.
 *
 *   hone_engine_model(engine, &model);              the model that the engine was built from
 *   hone_weight_set(model, "conv1.weight", &fresh);
 *   hone_refit(engine, model, &changed);            seconds of measuring saved: same choices
 *
 * A refit folds, fuses and packs anew and takes every kernel from the engine: nothing is measured.
 * The result is, bit for bit, what a build of the changed model gives with those choices. The model
 * may as well be another file of the same net, such as the next checkpoint.
 */
#ifndef HONE_REFIT_H
#define HONE_REFIT_H

#include <hone/hone.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The model behind an engine, yours to free. An engine built in this process has it; one from a
 * file has it where the build option `refit` was true, which keeps the model in the engine file:
 * those weights that the passes changed are then stored twice. UNSUPPORTED where it has none. Each
 * call gives a model of its own: weights set in it are seen nowhere else. */
HONE_API hone_status *hone_engine_model(const hone_engine *engine, hone_model **out);
/* A model of its own with the same weights, which are shared until they are set. */
HONE_API hone_status *hone_model_copy(const hone_model *model, hone_model **out);

/* The weights of a model: its constants of float types and of integers up to 8 bits, and 32-bit
 * ones that are dequantised, under the names that they have in the model file. Left out are those
 * that importing had to look at (sizes, scales of a resize, what was folded into another
 * constant): replacing them would change the graph. */
HONE_API size_t hone_weight_count(const hone_model *model);
/* Weight `index`: name, element type, shape, and in type.data its elements, lent. */
HONE_API hone_status *hone_weight_at(const hone_model *model, size_t index, hone_port *out);
/* Replaces the elements of the weight of this name; `tensor` has its element type and its shape,
 * and its bytes are copied. NOT_FOUND when there is no such weight. Engines built before keep the
 * old elements. No other thread may use the model meanwhile. The memory of replaced elements is
 * given back with the model: who replaces often does so on a copy each time. */
HONE_API hone_status *hone_weight_set(hone_model *model, const char *name,
                                      const hone_tensor *tensor);

/* An engine of `model` with the kernels of `engine` and the options that it was built with. Where
 * new weights make another graph of it (a factor that became 1, say), the groups that `engine` does
 * not have get the kernel that the cost model expects to be fastest, and the log says how many. */
HONE_API hone_status *hone_refit(const hone_engine *engine, const hone_model *model,
                                 hone_engine **out);

#ifdef __cplusplus
}
#endif
#endif
