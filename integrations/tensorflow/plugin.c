/* Being TensorFlow's graph optimiser: who asks for it, and when it stands down.
 *
 * TensorFlow ends the process where two optimisers are registered for one type of device. So beside
 * another plug-in that has one, ours is registered for a type that no machine has; and so it is
 * while nobody has asked for it, as each graph would be handed over for nothing.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include "op.h"
#include "optimise.h"

static const char entry[] = "TF_InitGraph";

/* ---- Other plug-ins ---- */

/* Whether this copy of the library optimises; asked by other copies. */
typedef bool is_optimising(void);
HONE_API bool hone_tensorflow_is_optimising(void);
/* Whether any copy in the process does. */
HONE_API bool hone_tensorflow_optimises(void);

typedef struct search {
  const void *own;  /* our entry */
  bool optimising;  /* a copy of this library does already */
  char other[256];  /* the file name of another plug-in; empty: none */
} search;

static void note_other(search *s, const char *path) {
  const char *name = strrchr(path, '/');
  if (!s->other[0]) snprintf(s->other, sizeof s->other, "%.255s", name ? name + 1 : path);
}

static int look_at_loaded(struct dl_phdr_info *info, size_t size, void *search_) {
  search *s = search_;
  (void)size;
  if (!info->dlpi_name || !*info->dlpi_name) return 0;
  void *handle = dlopen(info->dlpi_name, RTLD_LAZY | RTLD_NOLOAD);
  if (!handle) return 0;
  void *found = dlsym(handle, entry), *copy = dlsym(handle, "hone_tensorflow_is_optimising");
  is_optimising *ask = NULL;
  memcpy(&ask, &copy, sizeof ask);
  /* A handle's search goes on into what the library needs, so the address must be in it. */
  Dl_info where;
  bool is_its = found && dladdr(found, &where) && strcmp(where.dli_fname, info->dlpi_name) == 0;
  if (is_its && ask)
    s->optimising |= ask();
  else if (is_its && found != s->own)
    note_other(s, info->dlpi_name);
  dlclose(handle);
  return 0;
}

/* Whether a library that may be loaded later has an optimiser: it is not run to find out. */
static bool file_has_entry(const char *path) {
  struct stat about;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  bool found = false;
  if (file < 0) return false;
  if (fstat(file, &about) == 0 && S_ISREG(about.st_mode) && about.st_size > 0) {
    size_t size = (size_t)about.st_size;
    void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (data != MAP_FAILED) {
      found = memmem(data, size, entry, sizeof entry) != NULL &&
              !memmem(data, size, "hone_tensorflow_is_optimising", 29);
      munmap(data, size);
    }
  }
  close(file);
  return found;
}

/* The plug-ins that TensorFlow loads from the folder where this library lies. */
static void look_at_folder(search *s) {
  Dl_info where;
  char path[4096];
  if (!dladdr(s->own, &where)) return;
  const char *slash = strrchr(where.dli_fname, '/');
  if (!slash) return;
  int size = (int)(slash - where.dli_fname);
  snprintf(path, sizeof path, "%.*s", size, where.dli_fname);
  if (size < 18 || strcmp(path + size - 18, "tensorflow-plugins") != 0) return;
  DIR *folder = opendir(path);
  for (struct dirent *e = folder ? readdir(folder) : NULL; e; e = readdir(folder)) {
    if (!strstr(e->d_name, ".so") || strlen(e->d_name) > 255) continue;
    snprintf(path, sizeof path, "%.*s/%s", size, where.dli_fname, e->d_name);
    if (file_has_entry(path)) note_other(s, path);
  }
  if (folder) closedir(folder);
}

/* ---- Registering ---- */

static bool is_registered; /* for processors, and by this copy */

bool hone_tensorflow_is_optimising(void) { return is_registered; }

static bool can_optimise(void) {
  return tf.TF_NewGraphProperties && tf.TF_DeleteGraphProperties && tf.TF_InferStatically &&
         tf.TF_GetOutputPropertiesListSize && tf.TF_GetOutputPropertiesList &&
         tf.TF_GetNodesToPreserveListSize && tf.TF_GetNodesToPreserveList &&
         hone_tensorflow_reads_functions();
}

bool hone_tensorflow_optimises(void) {
  search s = {0};
  dl_iterate_phdr(look_at_loaded, &s);
  return s.optimising;
}

/* Why there is to be no optimiser; NULL: there is. The text may be in `s`. */
static const char *stands_down(search *s) {
  void (*own)(TP_OptimizerRegistrationParams *, TF_Status *) = TF_InitGraph;
  memcpy(&s->own, &own, sizeof own);
  dl_iterate_phdr(look_at_loaded, s);
  if (s->optimising) return "";
  if (!hone_is_wanted()) return "";
  if (!can_optimise()) return "this TensorFlow is too old for it";
  look_at_folder(s);
  return s->other[0] ? s->other : NULL;
}

void TF_InitGraph(TP_OptimizerRegistrationParams *params, TF_Status *status) {
  search s = {0};
  const char *why = stands_down(&s);
  (void)status;
  params->struct_size = sizeof *params;
  params->optimizer->struct_size = sizeof *params->optimizer;
  params->optimizer_configs->struct_size = sizeof *params->optimizer_configs;
  params->optimizer->create_func = hone_optimiser_new;
  params->optimizer->optimize_func = hone_optimise;
  params->optimizer->destroy_func = hone_optimiser_free;
  params->device_type = why ? "HONE_STANDS_DOWN" : "CPU";
  is_registered |= !why;
  if (why && *why) {
    bool beside = why == s.other;
    fprintf(stderr, "hone: no graph is optimised: %s%s\n", beside ? "TensorFlow has the plug-in " : "",
            why);
  }
}
