/*
 * A helper that is preloaded into the ROS host, for two things that rclnodejs cannot do by itself.
 *
 * 1. Deadline, lifespan, liveliness and its lease: rclnodejs passes on four of the seven policies. The host says
 *    the others in the environment variable AURAISON_QOS before it makes an entity, and they are put into the
 *    options on their way to rcl.
 *
 * 2. Subscriptions to types whose package is not installed: taking serialized messages needs no fields, only the
 *    name of the type. The type support of `auraison_raw/msg/Any` has the name that AURAISON_RAW_TYPE says, and
 *    refuses to read or write messages.
 *
 * No header of ROS is needed: the few structures are written down here as they are from Humble to Jazzy and
 * later; what a version does not know lies behind what it reads.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct edge_time { uint64_t sec, nsec; };
struct edge_qos {
  int history;
  size_t depth;
  int reliability;
  int durability;
  struct edge_time deadline, lifespan;
  int liveliness;
  struct edge_time lease;
};

static struct edge_time from_ns(unsigned long long ns)
{
  struct edge_time time = { ns / 1000000000ull, ns % 1000000000ull };
  return time;
}

/* AURAISON_QOS is "deadline,lifespan,lease" in nanoseconds; 0 leaves a policy as it is. Read once. */
static void apply_qos(struct edge_qos *qos)
{
  const char *text = getenv("AURAISON_QOS");
  unsigned long long deadline, lifespan, lease;
  if (text == NULL || sscanf(text, "%llu,%llu,%llu", &deadline, &lifespan, &lease) != 3) return;
  if (deadline) qos->deadline = from_ns(deadline);
  if (lifespan) qos->lifespan = from_ns(lifespan);
  if (lease) qos->lease = from_ns(lease);
}

typedef int (*init_function)(void *, const void *, const void *, const char *, void *);

/* librcl is loaded below the addon and not in the global scope: RTLD_NEXT would not find it. */
static init_function real(const char *name)
{
  void *rcl = dlopen("librcl.so", RTLD_LAZY | RTLD_NOLOAD);
  return rcl == NULL ? NULL : (init_function)dlsym(rcl, name);
}

/* In both options the policies come first. */
int rcl_subscription_init(void *entity, const void *node, const void *type, const char *topic, void *options)
{
  init_function init = real("rcl_subscription_init");
  if (init == NULL) return 1;
  if (options != NULL) apply_qos((struct edge_qos *)options);
  return init(entity, node, type, topic, options);
}

int rcl_publisher_init(void *entity, const void *node, const void *type, const char *topic, void *options)
{
  init_function init = real("rcl_publisher_init");
  if (init == NULL) return 1;
  if (options != NULL) apply_qos((struct edge_qos *)options);
  return init(entity, node, type, topic, options);
}

struct edge_callbacks {
  const char *namespace_;
  const char *name;
  bool (*serialize)(const void *, void *);
  bool (*deserialize)(void *, void *);
  uint32_t (*size)(const void *);
  size_t (*size_max)(char *);
  void *key_callbacks;
};

struct edge_sequence { void *data; size_t size, capacity; };
struct edge_description {
  struct { char *data; size_t size, capacity; } type_name;
  struct edge_sequence fields;
  struct edge_sequence referenced;
};
struct edge_hash { uint8_t version; uint8_t value[32]; };

/* What introspection reads of a message; behind these lie more pointers, all of them null without members. */
struct edge_members {
  const char *namespace_;
  const char *name;
  uint32_t count;
  size_t size;
  void *rest[8];
};

struct edge_support {
  const char *identifier;
  const void *data;
  const struct edge_support *(*find)(const struct edge_support *, const char *);
  const struct edge_hash *(*hash)(const struct edge_support *);
  const struct edge_description *(*description)(const struct edge_support *);
  const struct edge_sequence *(*sources)(const struct edge_support *);
  /* Ours; whoever reads the structure knows nothing of it. */
  struct edge_description described;
  struct edge_callbacks callbacks;
  struct edge_members members;
  /* The same type for who asks by introspection. */
  struct edge_support *introspection;
};

static bool refuse_serialize(const void *message, void *cdr) { (void)message; (void)cdr; return false; }
static bool refuse_deserialize(void *cdr, void *message) { (void)cdr; (void)message; return false; }
static uint32_t no_size(const void *message) { (void)message; return 0; }
/* Unbounded: a buffer is made as large as each message. */
static size_t no_size_max(char *bounds) { *bounds = 0; return 0; }

static const struct edge_support *find(const struct edge_support *support, const char *identifier)
{
  if (strcmp(identifier, support->identifier) == 0) return support;
  const struct edge_support *other = support->introspection;
  return other != NULL && strcmp(identifier, other->identifier) == 0 ? other : NULL;
}
static const struct edge_hash *hash(const struct edge_support *support)
{
  static const struct edge_hash unset;
  (void)support;
  return &unset;
}
static const struct edge_description *description(const struct edge_support *support)
{
  return &support->described;
}
static const struct edge_sequence *sources(const struct edge_support *support)
{
  static const struct edge_sequence none;
  (void)support;
  return &none;
}

/*
 * AURAISON_RAW_TYPE is "package/msg/Type". Each call makes a support that lives as long as the process: the
 * middleware keeps the pointer, and there is one per type and host.
 */
const struct edge_support *rosidl_typesupport_c__get_message_type_support_handle__auraison_raw__msg__Any(void)
{
  const char *type = getenv("AURAISON_RAW_TYPE");
  char package[256], folder[16], name[256], space[300], c_space[300];
  if (type == NULL || sscanf(type, "%255[^/]/%15[^/]/%255s", package, folder, name) != 3) return NULL;
  snprintf(space, sizeof space, "%s::%s", package, folder);
  snprintf(c_space, sizeof c_space, "%s__%s", package, folder);
  struct edge_support *support = calloc(1, sizeof *support);
  struct edge_support *other = calloc(1, sizeof *other);
  if (support == NULL || other == NULL) return NULL;
  support->identifier = "rosidl_typesupport_fastrtps_c";
  support->find = find;
  support->hash = hash;
  support->description = description;
  support->sources = sources;
  support->described.type_name.data = strdup(type);
  support->described.type_name.size = strlen(type);
  support->described.type_name.capacity = strlen(type) + 1;
  support->callbacks.namespace_ = strdup(space);
  support->callbacks.name = strdup(name);
  support->callbacks.serialize = refuse_serialize;
  support->callbacks.deserialize = refuse_deserialize;
  support->callbacks.size = no_size;
  support->callbacks.size_max = no_size_max;
  support->data = &support->callbacks;
  *other = *support;
  other->identifier = "rosidl_typesupport_introspection_c";
  other->members.namespace_ = strdup(c_space);
  other->members.name = support->callbacks.name;
  other->members.size = 1;
  other->data = &other->members;
  support->introspection = other;
  return support;
}
