/* port: every kind that the configuration knows has a driver that names its device to EAL, and what cannot be is
 * refused in a sentence before EAL is asked. Without EAL: what the devices then do, the system tests see. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vx_config.h"
#include "vx_drivers.h"
#include "vx_test.h"

static struct vx_port port;
static struct vx_error error;

static int prepare(const char *kind, const char *target, uint16_t queues, uint16_t descriptors)
{
    struct vx_port_config config = { .queues = queues, .descriptors = descriptors };
    (void)snprintf(config.kind, sizeof(config.kind), "%s", kind);
    (void)snprintf(config.target, sizeof(config.target), "%s", target);
    error.text[0] = '\0';
    return vx_port_prepare(&port, vx_drivers, &config, 2, &error);
}

/* The same list in the configuration's schema and here, neither longer. */
static void kinds_are_those_of_the_configuration(void)
{
    static char page[65536];
    CU_ASSERT_FATAL(vx_config_markdown(page, sizeof(page)) < sizeof(page));
    const char *row = strstr(page, "| `ports[].kind` | one of ");
    CU_ASSERT_PTR_NOT_NULL_FATAL(row);
    row += strlen("| `ports[].kind` | one of ");
    char words[256], word[64];
    uint32_t count = 0;
    (void)snprintf(words, sizeof(words), "%.*s", (int)strcspn(row, "|"), row);
    for (const struct vx_port_driver *const *driver = vx_drivers; *driver != NULL; driver++) {
        (void)snprintf(word, sizeof(word), "`%s`", (*driver)->kind);
        CU_ASSERT_PTR_NOT_NULL(strstr(words, word));
        CU_ASSERT(strlen((*driver)->kind) < sizeof(port.config.kind) && (*driver)->sentence[0] != '\0' && (*driver)->prepare != NULL);
        CU_ASSERT(((*driver)->ban == NULL) == ((*driver)->rate == NULL));
        count++;
    }
    for (const char *at = words; (at = strchr(at, '`')) != NULL; at++)
        count -= at[1] != ',' && at[1] != ' ' && at[1] != '\0';
    CU_ASSERT_EQUAL(count, 0);
}

static const struct naming {
    const char *kind, *target, *device, *argument;
} namings[] = {
    { "memif", "/tmp/vx_kinds.sock", "net_memif2", "--vdev=net_memif2,role=server,socket=/tmp/vx_kinds.sock,socket-abstract=no,bsize=2048,rsize=10" },
    { "ring", "", "net_ring2", "--vdev=net_ring2" },
    { "pcap", "/dev/null", "net_pcap2", "--vdev=net_pcap2,rx_pcap=/dev/null,tx_pcap=/dev/null" },
    { "pcap", "/dev/null,/tmp/out.pcap", "net_pcap2", "--vdev=net_pcap2,rx_pcap=/dev/null,tx_pcap=/tmp/out.pcap" },
    { "af_packet", "lo", "net_af_packet2", "--vdev=net_af_packet2,iface=lo,qpairs=1,blocksz=65536,framesz=2048,framecnt=256,qdisc_bypass=1" },
    { "tap", "vxkinds0", "net_tap2", "--vdev=net_tap2,iface=vxkinds0" },
};

static void devices_are_named_to_eal(void)
{
    for (unsigned i = 0; i < sizeof(namings) / sizeof(namings[0]); i++) {
        CU_ASSERT_EQUAL(prepare(namings[i].kind, namings[i].target, 1, 256), 0);
        CU_ASSERT_STRING_EQUAL(port.device, namings[i].device);
        CU_ASSERT_STRING_EQUAL(port.argument, namings[i].argument);
        CU_ASSERT_STRING_EQUAL(port.driver->kind, namings[i].kind);
    }
}

static const struct refusal {
    const char *kind, *target;
    uint16_t queues;
    int code;
    const char *says;
} refusals[] = {
    { "ne2000", "", 1, -EINVAL, "ports[3].kind is 'ne2000'" },
    { "pcap", "/nonexistent.pcap", 1, -ENOENT, "ports[3].target: /nonexistent.pcap: No such file" },
    { "pcap", "/dev/null", 2, -EINVAL, "ports[3].queues is 2, expected 1" },
    { "af_packet", "nonexistent0", 1, -ENODEV, "there is no interface \"nonexistent0\"" },
    { "af_xdp", "nonexistent0", 1, -ENODEV, "there is no interface \"nonexistent0\"" },
    { "af_xdp", "lo", 2, -EINVAL, "ports[3].queues is 2, expected at most 1: lo has so many combined queues" },
    { "tap", "", 1, -EINVAL, "ports[3].target is \"\"" },
    { "tap", "a-name-that-is-far-too-long", 1, -EINVAL, "expected a name of 1 to 15 bytes" },
    { "tap", "lo", 1, -EEXIST, "there is an interface lo already" },
    { "pci", "eth1", 1, -EINVAL, "expected a PCI address like" },
    { "pci", "0000:00:06.0x", 1, -EINVAL, "expected a PCI address like" },
    { "pci", "ffff:ff:1f.7", 1, -ENODEV, "there is no PCI device ffff:ff:1f.7" },
};

static void what_cannot_be_is_refused_in_a_sentence(void)
{
    for (unsigned i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        CU_ASSERT_EQUAL(prepare(refusals[i].kind, refusals[i].target, refusals[i].queues, 256), refusals[i].code);
        if (strstr(error.text, refusals[i].says) == NULL)
            (void)fprintf(stderr, "\n  %s %s says: %s\n", refusals[i].kind, refusals[i].target, error.text);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.text, refusals[i].says));
    }
}

static void a_dead_process_s_memif_socket_is_cleared_away(void)
{
    char path[] = "/tmp/vx_kinds_XXXXXX";
    int fd = mkstemp(path);
    CU_ASSERT_FATAL(fd >= 0 && close(fd) == 0);
    CU_ASSERT_EQUAL(prepare("memif", path, 1, 256), 0);
    CU_ASSERT(access(path, F_OK) != 0);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "kinds are those of the configuration", kinds_are_those_of_the_configuration },
        { "devices are named to EAL", devices_are_named_to_eal },
        { "what cannot be is refused in a sentence", what_cannot_be_is_refused_in_a_sentence },
        { "a dead process's memif socket is cleared away", a_dead_process_s_memif_socket_is_cleared_away },
    };
    return vx_test_main("port: kinds", tests, sizeof(tests) / sizeof(tests[0]));
}
