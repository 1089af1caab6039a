/* A port's start within a card's limits, where its flows go, and the watch over it: link, alarms, reset, removal. The
 * card is fake_device.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_dev.h>

#include "ena.h"
#include "fake_device.h"

static struct vx_port port;
static struct vx_error error;
static unsigned quiesced;

static int fake_prepare(struct vx_port *made, struct vx_error *reason)
{
    (void)reason;
    (void)snprintf(made->device, sizeof(made->device), "0000:00:06.0");
    return 0;
}

/* As drivers/pci, but for the look into /sys. */
static struct vx_port_driver driver;
static const struct vx_port_driver *const list[] = { &driver, NULL };

static int start(uint16_t queues, uint8_t spread)
{
    struct vx_port_config config = { .kind = "pci", .target = "0000:00:06.0", .queues = queues, .descriptors = 1024, .spread = spread };
    driver = vx_driver_pci;
    driver.prepare = fake_prepare;
    error.text[0] = '\0';
    CU_ASSERT_EQUAL_FATAL(vx_port_prepare(&port, list, &config, 0, &error), 0);
    static struct rte_mempool *const pools[VX_IO_LCORES_MAX]; /* the card made up here takes no buffers */
    return vx_port_start(&port, pools, &error);
}

/* While it is called the io lcores must find the port closed. */
static void quiesce(void *context)
{
    CU_ASSERT_PTR_EQUAL(context, &port);
    CU_ASSERT_EQUAL(port.closed, 1);
    fake_called("quiesce");
    quiesced++;
}

static void watch(void)
{
    vx_port_watch(&port, quiesce, &port);
}

/* As if a second had passed since the counters were looked at. */
static void watch_after_a_second(void)
{
    port.watched_cycles = rte_rdtsc() - 2 * rte_get_tsc_hz();
    watch();
}

static bool has_note(const char *words)
{
    for (uint32_t i = 0; i < port.note_count; i++)
        if (strstr(port.notes[i], words) != NULL)
            return true;
    return false;
}

static void test_limits(void)
{
    fake_reset();
    CU_ASSERT_EQUAL(start(9, VX_SPREAD_AUTO), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "ports[1].queues is 9"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "8 in and 8 out"));
    CU_ASSERT_EQUAL(start(8, VX_SPREAD_AUTO), 0);
    CU_ASSERT(port.caps.rx_descriptors == 512 && port.caps.tx_descriptors == 1024);
    CU_ASSERT(port.caps.numa == 1 && port.caps.mac[5] == 9 && port.id == 3);
    CU_ASSERT_STRING_EQUAL(port.caps.driver_name, "net_ena");
    CU_ASSERT_EQUAL(port.caps.inline_bytes, ENA_INLINE_BYTES);
    vx_port_stop(&port);
    CU_ASSERT_STRING_EQUAL(fake.calls, "configure start stop close");
    fake.present = false;
    CU_ASSERT_EQUAL(start(1, VX_SPREAD_AUTO), -ENODEV);
}

static void test_checksums(void)
{
    fake_reset();
    CU_ASSERT_EQUAL(start(1, VX_SPREAD_AUTO), 0);
    CU_ASSERT(port.caps.rx_checksums && port.caps.tx_checksums);
    CU_ASSERT_EQUAL(fake.conf.rxmode.offloads, RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM);
    CU_ASSERT_EQUAL(fake.conf.txmode.offloads, RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM);
    fake.info.rx_offload_capa = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM; /* half of it is of no use */
    fake.info.tx_offload_capa = RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
    CU_ASSERT_EQUAL(start(1, VX_SPREAD_AUTO), 0);
    CU_ASSERT(!port.caps.rx_checksums && !port.caps.tx_checksums);
    CU_ASSERT(fake.conf.rxmode.offloads == 0 && fake.conf.txmode.offloads == 0);
}

static void test_rss(void)
{
    uint32_t rows[8] = { 0 };
    uint8_t key[40];
    fake_reset();
    CU_ASSERT_EQUAL(start(8, VX_SPREAD_AUTO), 0);
    CU_ASSERT(port.caps.rss_udp && !port.caps.spread);
    CU_ASSERT_EQUAL(fake.conf.rx_adv_conf.rss_conf.rss_hf, RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP);
    CU_ASSERT(fake.conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_RSS_HASH); /* without it ENA refuses its table */
    CU_ASSERT_EQUAL(fake.conf.rx_adv_conf.rss_conf.rss_key_len, 40);
    memcpy(key, fake.key, sizeof(key));
    for (uint32_t row = 0; row < FAKE_TABLE; row++)
        rows[fake.table[row]]++;
    CU_ASSERT_EQUAL(rows[0], 12); /* of 16 by turns */
    for (uint32_t queue = 1; queue < 8; queue++)
        CU_ASSERT(rows[queue] >= 16 && rows[queue] <= 17);
    fake_reset();
    CU_ASSERT_EQUAL(start(8, VX_SPREAD_AUTO), 0);
    CU_ASSERT_EQUAL(memcmp(key, fake.key, sizeof(key)), 0); /* a restart does not move the players */
    fake.table_answer = -ENOTSUP;
    CU_ASSERT_EQUAL(start(8, VX_SPREAD_AUTO), 0);
    CU_ASSERT(has_note("the card keeps its own indirection table"));
    CU_ASSERT_EQUAL(start(1, VX_SPREAD_AUTO), 0);
    CU_ASSERT_EQUAL(fake.conf.rx_adv_conf.rss_conf.rss_hf, 0);
}

static void test_spread(void)
{
    static const struct {
        uint64_t types;
        uint16_t queues;
        uint8_t mode;
        bool spreads;
    } cases[] = {
        { RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP, 4, VX_SPREAD_AUTO, false }, { RTE_ETH_RSS_NONFRAG_IPV4_TCP, 4, VX_SPREAD_AUTO, true },
        { RTE_ETH_RSS_NONFRAG_IPV4_UDP, 4, VX_SPREAD_AUTO, true }, /* IPv6 players would all be on one queue */
        { 0, 4, VX_SPREAD_AUTO, true }, { 0, 1, VX_SPREAD_AUTO, false }, { 0, 4, VX_SPREAD_OFF, false },
        { RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP, 4, VX_SPREAD_ON, true },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fake_reset();
        fake.info.flow_type_rss_offloads = cases[i].types;
        CU_ASSERT_EQUAL(start(cases[i].queues, cases[i].mode), 0);
        CU_ASSERT_EQUAL(port.caps.spread, cases[i].spreads);
        CU_ASSERT_EQUAL(has_note("spread flows among themselves"), cases[i].spreads && cases[i].mode == VX_SPREAD_AUTO);
    }
}

static void test_alarm(void)
{
    struct vx_port_counter counters[VX_PORT_COUNTERS_MAX];
    fake_reset();
    fake.xstats[1] = 100; /* from before our time */
    CU_ASSERT_EQUAL(start(1, VX_SPREAD_AUTO), 0);
    watch_after_a_second();
    CU_ASSERT_FALSE(vx_port_alarm_stands(&port));
    fake.xstats[0] += 1000000; /* packets are no alarm */
    fake.xstats[4] += 5;
    watch_after_a_second();
    CU_ASSERT_FALSE(vx_port_alarm_stands(&port));
    fake.xstats[1] += 42;
    watch(); /* the second is not over */
    CU_ASSERT_FALSE(vx_port_alarm_stands(&port));
    watch_after_a_second();
    CU_ASSERT_TRUE(vx_port_alarm_stands(&port));
    CU_ASSERT_STRING_EQUAL(port.alarm.name, "pps_allowance_exceeded");
    CU_ASSERT_EQUAL(port.alarm.growth, 42);
    CU_ASSERT_EQUAL(port.alarm.raised, 1);
    fake.xstats[1] += 8;
    watch_after_a_second();
    CU_ASSERT_EQUAL(port.alarm.raised, 1); /* the same alarm goes on */
    fake.xstats[3] += 1;
    watch_after_a_second();
    CU_ASSERT_EQUAL(port.alarm.raised, 2);
    CU_ASSERT_STRING_EQUAL(port.alarm.name, "rx_missed_errors");
    watch_after_a_second();
    CU_ASSERT_TRUE(vx_port_alarm_stands(&port)); /* a minute */
    port.alarm.cycles -= 2 * VX_PORT_ALARM_S * rte_get_tsc_hz();
    CU_ASSERT_FALSE(vx_port_alarm_stands(&port));
    CU_ASSERT_EQUAL(vx_port_counters(&port, counters, VX_PORT_COUNTERS_MAX), FAKE_XSTATS);
    CU_ASSERT_EQUAL(vx_port_counters(&port, counters, 2), 2);
    CU_ASSERT(counters[1].value == 150 && counters[1].alarm && !counters[0].alarm);
}

static void test_link_flap(void)
{
    fake_reset();
    CU_ASSERT_EQUAL(start(1, VX_SPREAD_AUTO), 0);
    for (uint32_t flap = 1; flap <= 3; flap++) {
        fake.link_up = false;
        watch();
        watch();
        CU_ASSERT_STRING_EQUAL(vx_port_state_name(&port), "link down");
        CU_ASSERT_EQUAL(port.link_downs, flap);
        CU_ASSERT_EQUAL(port.closed, 0); /* io lcores may go on: the device takes care of itself */
        fake.link_up = true;
        watch();
        CU_ASSERT_STRING_EQUAL(vx_port_state_name(&port), "up");
    }
    CU_ASSERT_EQUAL(fake.timers_run, 9); /* ENA's watchdog */
}

static void test_reset(void)
{
    fake_reset();
    CU_ASSERT_EQUAL(start(2, VX_SPREAD_AUTO), 0);
    fake.calls[0] = '\0';
    quiesced = 0;
    CU_ASSERT_EQUAL(fake.on_event(port.id, RTE_ETH_EVENT_INTR_RESET, fake.event_context, NULL), 0);
    CU_ASSERT_STRING_EQUAL(fake.calls, ""); /* nothing on EAL's interrupt thread */
    watch();
    CU_ASSERT_STRING_EQUAL(fake.calls, "quiesce stop reset configure start");
    CU_ASSERT(port.closed == 0 && port.resets == 1 && quiesced == 1 && port.state == VX_PORT_UP);
    watch();
    CU_ASSERT_EQUAL(port.resets, 1);
    fake.calls[0] = '\0';
    fake.reset_answer = -ENOTSUP; /* a device that knows no reset is stopped and started */
    (void)fake.on_event(port.id, RTE_ETH_EVENT_INTR_RESET, fake.event_context, NULL);
    watch();
    CU_ASSERT_STRING_EQUAL(fake.calls, "quiesce stop reset configure start");
    CU_ASSERT(port.closed == 0 && port.resets == 2);
}

static void test_reset_that_fails_at_first(void)
{
    fake_reset();
    CU_ASSERT_EQUAL(start(2, VX_SPREAD_AUTO), 0);
    fake.configure_fails = -EIO;
    (void)fake.on_event(port.id, RTE_ETH_EVENT_INTR_RESET, fake.event_context, NULL);
    for (uint32_t i = 1; i <= 3; i++) {
        watch();
        CU_ASSERT(port.closed == 1 && port.resets == i);
        CU_ASSERT_STRING_EQUAL(vx_port_state_name(&port), "resetting");
    }
    fake.configure_fails = 0;
    watch();
    CU_ASSERT(port.closed == 0 && port.resets == 4 && port.state == VX_PORT_UP);
}

/* Pulled and put back: by ethdev's event as some drivers give it, or by the bus's. */
static void test_removal(void)
{
    for (unsigned by_bus = 0; by_bus < 2; by_bus++) {
        fake_reset();
        CU_ASSERT_EQUAL(start(2, VX_SPREAD_AUTO), 0);
        fake.calls[0] = '\0';
        fake.present = false;
        if (by_bus)
            fake.on_bus_event("0000:00:06.0", RTE_DEV_EVENT_REMOVE, fake.bus_context);
        else
            (void)fake.on_event(port.id, RTE_ETH_EVENT_INTR_RMV, fake.event_context, NULL);
        watch();
        CU_ASSERT_STRING_EQUAL(fake.calls, "quiesce stop close");
        CU_ASSERT(port.closed == 1 && port.removals == 1 && port.state == VX_PORT_GONE);
        struct vx_port_counter counter;
        CU_ASSERT_EQUAL(vx_port_counters(&port, &counter, 1), 0);
        watch();
        CU_ASSERT_EQUAL(fake.probes, 0); /* once a second is enough */
        watch_after_a_second();
        CU_ASSERT(fake.probes == 1 && port.state == VX_PORT_GONE);
        fake.present = true;
        fake.id = 7; /* somebody else has its number */
        watch_after_a_second();
        CU_ASSERT(port.closed == 1 && port.state == VX_PORT_GONE && port.id == 3);
        fake.id = 3;
        watch_after_a_second();
        CU_ASSERT(port.closed == 0 && port.state == VX_PORT_UP);
        CU_ASSERT_PTR_NOT_NULL(fake.on_event);
        CU_ASSERT_PTR_NOT_NULL(fake.on_bus_event);
    }
}

/* A tree of files as the kernel shows them. */
static void tree_write(const char *root, const char *path, const char *text)
{
    char command[512], name[256];
    (void)snprintf(name, sizeof(name), "%s%s", root, path);
    (void)snprintf(command, sizeof(command), "mkdir -p $(dirname %s)", name);
    CU_ASSERT_EQUAL_FATAL(system(command), 0);
    FILE *file = fopen(name, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT(fputs(text, file) >= 0);
    CU_ASSERT_EQUAL(fclose(file), 0);
}

static void test_llq_mapping(void)
{
    static const char list_path[] = "/sys/kernel/debug/x86/pat_memtype_list", address[] = "0000:00:06.0";
    static const struct {
        const char *lines;
        enum ena_mapping mapping;
    } cases[] = {
        { "PAT memtype list:\nPAT: [mem 0x00000000fe000000-0x00000000fe100000] write-combining\n", ENA_MAPPING_COMBINES },
        { "PAT: [mem 0x00000000fe000000-0x00000000fe100000] uncached-minus\n", ENA_MAPPING_UNCACHED },
        { "uncached-minus @ 0xfe000000-0xfe004000\nwrite-combining @ 0xfe000000-0xfe100000\n", ENA_MAPPING_COMBINES }, /* as older kernels write */
        { "PAT: [mem 0x00000000fd000000-0x00000000fe000000] write-combining\n", ENA_MAPPING_UNKNOWN }, /* the neighbour's */
        { "", ENA_MAPPING_UNKNOWN },
    };
    char root[] = "/tmp/veltrix-ena-XXXXXX", command[64];
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
    CU_ASSERT_EQUAL(ena_llq_mapping(root, address), ENA_MAPPING_UNKNOWN); /* nothing there to read */
    tree_write(root, "/sys/bus/pci/devices/0000:00:06.0/resource",
               "0x00000000febf4000 0x00000000febf7fff 0x0000000000040200\n0x0 0x0 0x0\n0x00000000fe000000 0x00000000fe0fffff 0x000000000014220c\n");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tree_write(root, list_path, cases[i].lines);
        CU_ASSERT_EQUAL(ena_llq_mapping(root, address), cases[i].mapping);
    }
    tree_write(root, "/sys/module/igb_uio/parameters/wc_activate", "1\n");
    CU_ASSERT_EQUAL(ena_llq_mapping(root, address), ENA_MAPPING_COMBINES);
    tree_write(root, "/sys/module/igb_uio/parameters/wc_activate", "0\n");
    CU_ASSERT_EQUAL(ena_llq_mapping(root, address), ENA_MAPPING_UNCACHED);
    (void)snprintf(command, sizeof(command), "rm -r %s", root);
    CU_ASSERT_EQUAL(system(command), 0);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "queues and descriptors within the card's limits", test_limits },
        { "checksums where both are offered", test_checksums },
        { "RSS: a constant key, less for queue 0", test_rss },
        { "spread where the card cannot hash UDP", test_spread },
        { "alarm when the allowance is exceeded", test_alarm },
        { "link flaps", test_link_flap },
        { "reset", test_reset },
        { "a reset that fails at first", test_reset_that_fails_at_first },
        { "removed and back", test_removal },
        { "how the LLQ's memory is mapped", test_llq_mapping },
    };
    return vx_test_main("port", tests, sizeof(tests) / sizeof(tests[0]));
}
