/* Finding TensorFlow's functions in the process. */
#include "tf_api.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

tf_functions tf;

/* The libraries that carry them, the first two since 2.12, the last before. */
static const char *const libraries[] = {"libtensorflow_framework.so", "libtensorflow_cc.so",
                                        "_pywrap_tensorflow_internal.so"};
#define LIBRARY_COUNT (sizeof libraries / sizeof *libraries)

static int note_library(struct dl_phdr_info *info, size_t size, void *handles_) {
  void **handles = handles_;
  (void)size;
  const char *name = info->dlpi_name ? strrchr(info->dlpi_name, '/') : NULL;
  for (size_t i = 0; name && i < LIBRARY_COUNT; i++)
    if (!handles[i] && strncmp(name + 1, libraries[i], strlen(libraries[i])) == 0)
      handles[i] = dlopen(info->dlpi_name, RTLD_LAZY | RTLD_NOLOAD);
  return 0;
}

static void *find(void *const *handles, const char *name) {
  void *found = dlsym(RTLD_DEFAULT, name);
  for (size_t i = 0; !found && i < LIBRARY_COUNT; i++)
    if (handles[i]) found = dlsym(handles[i], name);
  return found;
}

bool tf_find_functions(const char **missing) {
  void *handles[LIBRARY_COUNT] = {0};
  bool complete = true;
  void *found;
  dl_iterate_phdr(note_library, handles);
#define TF_FIND(required, result, name, arguments) \
  found = find(handles, #name);                    \
  memcpy(&tf.name, &found, sizeof found);          \
  if (!found && required && complete) {            \
    *missing = #name;                              \
    complete = false;                              \
  }
  TF_FUNCTIONS(TF_FIND)
#undef TF_FIND
  return complete;
}
