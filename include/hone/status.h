/* Status: how every fallible call of Hone answers.
 *
 * A NULL status is success. Any other status is owned by the caller, who reads it and gives it
 * back to hone_status_free. Reporting a lack of memory never allocates: that status is static,
 * and freeing it does nothing.
 */
#ifndef HONE_STATUS_H
#define HONE_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define HONE_API __attribute__((visibility("default")))
#else
#define HONE_API
#endif

/* What kind of failure it is. Values are part of the ABI: new ones are added at the end. */
typedef enum hone_code {
  HONE_OK = 0,
  HONE_INVALID_ARGUMENT = 1, /* the caller's arguments are wrong: name, shape, dtype, option */
  HONE_INVALID_MODEL = 2,    /* the model file breaks its own format's rules */
  HONE_UNSUPPORTED = 3,      /* well-formed, but nothing here can run it */
  HONE_OUT_OF_MEMORY = 4,    /* an allocation failed */
  HONE_LIMIT = 5,            /* a limit on memory, depth, count or time would be passed */
  HONE_IO = 6,               /* the operating system refused to read or write */
  HONE_NOT_FOUND = 7,        /* no such file, tensor, node or option */
  HONE_MISMATCH = 8,         /* an engine that is whole but made for another machine or version */
  HONE_CORRUPT = 9,          /* an engine or cache whose bytes are damaged */
  HONE_CANCELLED = 10,       /* the caller, a deadline or Ctrl-C stopped it */
  HONE_DEVICE = 11,          /* a device driver reported an error */
  HONE_INTERNAL = 12         /* a broken promise inside Hone: please report it */
} hone_code;

typedef struct hone_status hone_status;

/* The code of `status`; HONE_OK for NULL. */
HONE_API hone_code hone_status_code(const hone_status *status);

/* What happened and what to do, in one line of UTF-8; lent until the status is freed. */
HONE_API const char *hone_status_message(const hone_status *status);

/* Where in the user's model, file or call it happened, outermost first; "" when nowhere. Lent. */
HONE_API const char *hone_status_place(const hone_status *status);

/* The name of a code as the command and the logs print it, such as "invalid model". Static. */
HONE_API const char *hone_code_name(hone_code code);

/* A failure of the user's own code, for functions that are to return one. Never NULL: without
 * memory it is the static out-of-memory status. The message is copied, cut at 1,000 bytes. */
HONE_API hone_status *hone_status_new(hone_code code, const char *message);

/* Gives `status` back; NULL is allowed. */
HONE_API void hone_status_free(hone_status *status);

#ifdef __cplusplus
}
#endif
#endif
