/* hone doctor: what this machine has, what of it is used, what is missing and what that costs. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

/* The first line of a file of the kernel's, without its end; false where there is none. */
static bool first_line(const char *path, char *out, size_t room) {
  FILE *file = fopen(path, "r");
  if (!file) return false;
  bool good = fgets(out, (int)room, file) != NULL;
  fclose(file);
  if (good) out[strcspn(out, "\n")] = 0;
  return good;
}

static void set_line(json_t *object, const char *key, const char *path) {
  char line[256];
  json_object_set_new(object, key,
                      first_line(path, line, sizeof line) ? json_string(line) : json_null());
}

/* A limit of this process's control group, version 2: its own, else that of the container. */
static void set_limit(json_t *object, const char *key, const char *name) {
  char group[512], path[600];
  if (first_line("/proc/self/cgroup", group, sizeof group) && strncmp(group, "0::", 3) == 0) {
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/%s", group + 3, name);
    if (access(path, R_OK) == 0) {
      set_line(object, key, path);
      return;
    }
  }
  snprintf(path, sizeof path, "/sys/fs/cgroup/%s", name);
  set_line(object, key, path);
}

/* "MemTotal:  131 kB" as bytes. */
static json_int_t memory_row(const char *name) {
  FILE *file = fopen("/proc/meminfo", "r");
  char line[256];
  unsigned long long kilobytes = 0;
  size_t size = strlen(name);
  while (file && fgets(line, sizeof line, file))
    if (strncmp(line, name, size) == 0 && line[size] == ':')
      sscanf(line + size + 1, "%llu", &kilobytes);
  if (file) fclose(file);
  return (json_int_t)kilobytes * 1024;
}

static json_t *system_json(void) {
  json_t *object = json_pack("{s:I, s:I, s:I, s:I}", "online_processors",
                             (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "memory_bytes",
                             memory_row("MemTotal"), "available_bytes", memory_row("MemAvailable"),
                             "huge_pages_free", memory_row("HugePages_Free") / 1024);
  set_limit(object, "cgroup_cpu_max", "cpu.max");
  set_limit(object, "cgroup_memory_max", "memory.max");
  set_line(object, "transparent_huge_pages", "/sys/kernel/mm/transparent_hugepage/enabled");
  set_line(object, "kernel", "/proc/sys/kernel/osrelease");
  return object;
}

/* ---- Python -----------------------------------------------------------------------------------
 */

#define PYTHON_PROGRAM                                                             \
  "${HONE_PYTHON:-python3} -c '\n"                                                 \
  "import importlib.metadata as m, platform\n"                                     \
  "print(\"python\", platform.python_version())\n"                                 \
  "for name in (\"hone\", \"onnxruntime\", \"onnx\", \"numpy\", \"ml_dtypes\"):\n" \
  "    try: print(name, m.version(name))\n"                                        \
  "    except m.PackageNotFoundError: pass\n"                                      \
  "' 2>/dev/null"

static json_t *python_json(void) {
  json_t *object = json_pack("{s:n, s:n, s:n, s:n, s:n, s:n}", "python", "hone", "onnxruntime",
                             "onnx", "numpy", "ml_dtypes");
  FILE *pipe = popen(PYTHON_PROGRAM, "r");
  char name[64], version[64];
  while (pipe && fscanf(pipe, "%63s %63s", name, version) == 2)
    json_object_set_new(object, name, json_string(version));
  if (pipe) pclose(pipe);
  return object;
}

/* ---- GPU --------------------------------------------------------------------------------------
 */

/* What NVIDIA's libraries are for, and so what their absence costs. */
static const struct probe {
  const char *name, *cost;
} probes[] = {
    {"driver", "no NVIDIA GPU can be used"},
    {"nvrtc", "no kernel can be compiled for a GPU; pip install nvidia-cuda-nvrtc brings it"},
    {"cublaslt", "large matrix products run on Hone's own kernels, in up to twice the time; pip install "
                 "nvidia-cublas brings it"},
    {"cudnn", "convolutions run on Hone's own kernels, in up to twice the time; pip install "
              "nvidia-cudnn brings it"},
};

static json_t *gpu_json(const json_t *cuda) {
  json_t *object = json_object();
  for (size_t i = 0; i < sizeof probes / sizeof *probes; i++) {
    json_t *found = json_deep_copy(json_object_get(cuda, probes[i].name));
    json_object_set_new(found, "without_it", json_string(probes[i].cost));
    json_object_set_new(object, probes[i].name, found);
  }
  return object;
}

/* ---- Telling ----------------------------------------------------------------------------------
 */

static void print_value(const char *name, const json_t *value) {
  size_t index;
  json_t *item;
  printf("  %-24s", name);
  if (json_is_string(value)) printf(" %s", json_string_value(value));
  if (json_is_integer(value)) printf(" %lld", (long long)json_integer_value(value));
  if (json_is_null(value)) printf(" not found");
  json_array_foreach(value, index, item) {
    printf(" %lld", (long long)json_integer_value(item));
  }
  puts("");
}

static void print_group(const char *title, json_t *object) {
  const char *name;
  json_t *value;
  printf("%s\n", title);
  json_object_foreach(object, name, value) {
    if (!json_is_object(value)) print_value(name, value);
  }
}

static void print_gpu(json_t *gpu, const json_t *cuda) {
  const char *name;
  json_t *probe;
  const char *used = json_string_value(json_object_get(cuda, "gpu"));
  printf("GPU: %s\n", used ? used : json_string_value(json_object_get(cuda, "why")));
  json_object_foreach(gpu, name, probe) {
    const char *found = json_string_value(json_object_get(probe, "found"));
    if (found)
      printf("  %-24s %s, version %s\n", name, found,
             json_string_value(json_object_get(probe, "version")));
    else
      printf("  %-24s %s: %s\n", name, json_string_value(json_object_get(probe, "why")),
             json_string_value(json_object_get(probe, "without_it")));
  }
}

int command_doctor(const command_line *line) {
  char *text = NULL;
  TRY_COMMAND(hone_machine(&text));
  json_t *machine = json_loads(text, 0, NULL);
  hone_text_release(text);
  json_t *gpu = gpu_json(json_object_get(machine, "cuda"));
  json_t *root = json_pack("{s:s, s:o, s:o, s:o, s:o}", "version", hone_version(), "machine",
                           machine, "system", system_json(), "python", python_json(), "gpu", gpu);
  if (line->json) {
    json_dumpf(root, stdout, JSON_INDENT(1));
    putchar('\n');
  } else {
    printf("hone %s\n", hone_version());
    print_group("processor", machine);
    print_group("system", json_object_get(root, "system"));
    print_group("libraries", json_object_get(machine, "libraries"));
    print_group("python", json_object_get(root, "python"));
    print_gpu(json_object_get(root, "gpu"), json_object_get(machine, "cuda"));
  }
  json_decref(root);
  return 0;
}
