/* The flags of trtexec (TensorRT 10 and 11) that have no counterpart here, each with what to do
 * instead; and `hone trtexec`, which builds and measures as trtexec does. */
#include <stdio.h>
#include <string.h>

#include "command.h"

enum { FINE, REFUSED };

#define ANY_SHAPE    "an engine runs at any shape; --optShapes says what to measure with"
#define ONE_DEVICE   "there is one device here, the processor"
#define NO_COPIES    "on the processor nothing is transferred, captured or launched"
#define PORTABLE     "every engine file opens on other processors: it is repacked there"
#define IN_THE_MODEL "precision stands in the model: use Q/DQ nodes or casts"
#define NO_PLUGINS   "engines hold no code: give --plugins again when one is opened"
#define ALL_KERNELS  "all kernels that fit are measured; --build-seconds bounds the time"
#define WEIGHTS_IN   "an engine file holds its weights once, mapped when it is opened"
#define REFIT        "hone refit ENGINE MODEL -o NEW replaces weights; hone refit ENGINE lists them"
#define NO_DLA       "there is no DLA and no safety runtime here"

static const struct answer {
  const char *name;
  int kind;
  const char *text;
} answers[] = {
    {"--minShapes", FINE, ANY_SHAPE},
    {"--maxShapes", FINE, ANY_SHAPE},
    {"--useProfile", FINE, ANY_SHAPE},
    {"--minShapesCalib", REFUSED, IN_THE_MODEL},
    {"--optShapesCalib", REFUSED, IN_THE_MODEL},
    {"--maxShapesCalib", REFUSED, IN_THE_MODEL},
    {"--inputIOFormats", REFUSED, "inputs have the types and layouts that the model declares"},
    {"--outputIOFormats", REFUSED, "outputs have the types and layouts that the model declares"},
    {"--memPoolSize", FINE, "a context takes what its plan says; --memory-limit refuses more"},
    {"--fp16", REFUSED, "use --precision bf16 (where the processor has it), or a model in f16"},
    {"--int8", REFUSED, IN_THE_MODEL},
    {"--fp8", REFUSED, IN_THE_MODEL},
    {"--int4", REFUSED, IN_THE_MODEL},
    {"--stronglyTyped", FINE, "types are what the model says anyway"},
    {"--precisionConstraints", REFUSED, IN_THE_MODEL},
    {"--layerPrecisions", REFUSED, IN_THE_MODEL},
    {"--layerOutputTypes", REFUSED, IN_THE_MODEL},
    {"--calib", REFUSED, IN_THE_MODEL},
    {"--avgTiming", FINE, "candidates are timed in seven interleaved rounds"},
    {"--maxTactics", FINE, ALL_KERNELS},
    {"--tacticSources", FINE, ALL_KERNELS},
    {"--tilingOptimizationLevel", FINE, ALL_KERNELS},
    {"--preview", FINE, ALL_KERNELS},
    {"--sparsity", FINE, "zeros in weights are not used"},
    {"--monitorMemory", FINE, "bench prints the bytes of a context"},
    {"--maxAuxStreams", FINE, ONE_DEVICE},
    {"--stripWeights", REFUSED, WEIGHTS_IN},
    {"--stripAllWeights", REFUSED, WEIGHTS_IN},
    {"--refitFromOnnx", REFUSED, REFIT},
    {"--dumpRefit", REFUSED, REFIT},
    {"--timeRefit", REFUSED, REFIT},
    {"--allowWeightStreaming", FINE, WEIGHTS_IN},
    {"--weightStreamingBudget", FINE, WEIGHTS_IN},
    {"--versionCompatible", FINE, PORTABLE},
    {"--excludeLeanRuntime", FINE, PORTABLE},
    {"--useRuntime", FINE, PORTABLE},
    {"--hardwareCompatibilityLevel", FINE, PORTABLE},
    {"--runtimePlatform", FINE, PORTABLE},
    {"--getPlanVersionOnly", REFUSED, "use hone check ENGINE"},
    {"--asyncFileReader", FINE, "engine files are mapped"},
    {"--timeDeserialize", FINE, "bench prints what opening took"},
    {"--setPluginsToSerialize", REFUSED, NO_PLUGINS},
    {"--useCudaGraph", FINE, NO_COPIES},
    {"--noCudaGraph", FINE, NO_COPIES},
    {"--useSpinWait", FINE, NO_COPIES},
    {"--noSpinWait", FINE, NO_COPIES},
    {"--exposeDMA", FINE, NO_COPIES},
    {"--noDataTransfers", FINE, NO_COPIES},
    {"--includeDataTransfers", FINE, NO_COPIES},
    {"--useManagedMemory", FINE, NO_COPIES},
    {"--separateProfileRun", FINE, "the profile is always a run of its own"},
    {"--allocationStrategy", FINE, "a context's arena grows to its largest plan and stays"},
    {"--markDebug", REFUSED, "use hone compare, which looks at every layer"},
    {"--saveDebugTensors", REFUSED, "use hone compare, which looks at every layer"},
    {"--saveAllDebugTensors", REFUSED, "use hone compare, which looks at every layer"},
    {"--profilingVerbosity", FINE, "engines always hold the names of the model's nodes"},
    {"--loadRefOutputs", REFUSED, "use hone compare ENGINE MODEL [--peer onnxruntime]"},
    {"--accuracyAlgorithm", REFUSED, "hone compare bounds max|y - ref| / max|ref|: --tolerance"},
    {"--atol", REFUSED, "hone compare bounds max|y - ref| / max|ref|: --tolerance"},
    {"--rtol", REFUSED, "hone compare bounds max|y - ref| / max|ref|: --tolerance"},
    {"--tuneBuildRoutes", FINE, ALL_KERNELS},
    {"--tuningSearch", FINE, ALL_KERNELS},
    {"--continue", FINE, "a build goes on from its --timing-cache"},
    {"--dryRun", REFUSED, "use hone inspect MODEL"},
    {"--useDLACore", REFUSED, NO_DLA},
    {"--allowGPUFallback", REFUSED, NO_DLA},
    {"--safe", REFUSED, NO_DLA},
    {"--buildDLAStandalone", REFUSED, NO_DLA},
};

bool answer_trtexec_flag(const char *name, bool *known) {
  *known = true;
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    if (strcmp(answers[i].name, name) != 0) continue;
    bool refused = answers[i].kind == REFUSED;
    fprintf(stderr, "hone: %s %s: %s\n", name, refused ? "is not here" : "does nothing here",
            answers[i].text);
    return !refused;
  }
  *known = false;
  return false;
}
