/* The text that Prometheus reads, to the byte; and the HTTP server with well-behaved, odd and hostile clients. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "vx_metrics.h"
#include "vx_test.h"

static struct vx_hist times;

static void read_counter(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    vx_metric_value(out, *(double *)context + (double)metric->field, "a \"b\" \\ c\nd", NULL);
    vx_metric_value(out, 9007199254740992.0, "large", NULL);
    vx_metric_value(out, 1795697761.25, "broken", NULL); /* a time keeps its fraction */
}

static void read_lcores(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    (void)context, (void)metric;
    vx_metric_value_of(out, 1e300, 7);
}

static void read_buckets(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    static const double bounds[] = { 0.001, 2 };
    static const uint64_t slots[] = { 3, 0, 4 };
    (void)context, (void)metric;
    vx_metric_buckets(out, bounds, 2, slots, 12.5, "x");
}

static void read_hist(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    (void)context, (void)metric;
    vx_metric_hist(out, &times, 1e-6, NULL);
}

static void read_summary(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    static const struct vx_metric_quantile quantiles[] = { { 0.5, 0.125 }, { 1, 2 } };
    (void)context, (void)metric;
    vx_metric_summary(out, quantiles, 2, 2.125, 2, NULL);
}

static void read_nothing(void *context, const struct vx_metric *metric, struct vx_metric_out *out)
{
    (void)context, (void)metric, (void)out;
}

static const struct vx_metric first[] = {
    { "one", "test_things_total", VX_METRIC_COUNTER, "what", "things", read_counter, 2 },
    { "one", "test_nothing", VX_METRIC_GAUGE, "", "has no samples now", read_nothing, 0 },
    { "two", "test_lcores", VX_METRIC_GAUGE, "lcore", "lcores", read_lcores, 0 },
    { .name = NULL },
};
static const struct vx_metric second[] = {
    { "two", "test_seconds", VX_METRIC_HISTOGRAM, "of", "times", read_buckets, 0 },
    { "two", "test_duration_seconds", VX_METRIC_SUMMARY, "", "durations", read_summary, 0 },
    { .name = NULL },
};
static const struct vx_metric third[] = { { "three", "test_hist_seconds", VX_METRIC_HISTOGRAM, "", "times", read_hist, 0 }, { .name = NULL } };
static const struct vx_metric *const two_tables[] = { first, second, NULL };
static const struct vx_metric *const hist_table[] = { third, NULL };

static void text_is_what_prometheus_reads(void)
{
    static const char expected[] = "# HELP test_things_total things\n# TYPE test_things_total counter\n"
                                   "test_things_total{what=\"a \\\"b\\\" \\\\ c\\nd\"} 42\n"
                                   "test_things_total{what=\"large\"} 9007199254740992\n"
                                   "test_things_total{what=\"broken\"} 1795697761.25\n"
                                   "# HELP test_lcores lcores\n# TYPE test_lcores gauge\n"
                                   "test_lcores{lcore=\"7\"} 1e+300\n"
                                   "# HELP test_seconds times\n# TYPE test_seconds histogram\n"
                                   "test_seconds_bucket{of=\"x\",le=\"0.001\"} 3\n"
                                   "test_seconds_bucket{of=\"x\",le=\"2\"} 3\n"
                                   "test_seconds_bucket{of=\"x\",le=\"+Inf\"} 7\n"
                                   "test_seconds_sum{of=\"x\"} 12.5\n"
                                   "test_seconds_count{of=\"x\"} 7\n"
                                   "# HELP test_duration_seconds durations\n# TYPE test_duration_seconds summary\n"
                                   "test_duration_seconds{quantile=\"0.5\"} 0.125\n"
                                   "test_duration_seconds{quantile=\"1\"} 2\n"
                                   "test_duration_seconds_sum 2.125\n"
                                   "test_duration_seconds_count 2\n";
    double forty = 40;
    size_t bytes = 0;
    char *text = vx_metrics_text(&(struct vx_metrics_source){ two_tables, &forty }, &bytes);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL(bytes, sizeof(expected) - 1);
    CU_ASSERT_STRING_EQUAL(text, expected);
    free(text);
}

/* Values one by one against the buckets: each lies in the first bucket whose bound is not below it. */
static void histograms_keep_count_and_sum(void)
{
    size_t bytes = 0;
    double sum = 0;
    memset(&times, 0, sizeof(times));
    for (uint64_t us = 1; us <= 1000; us++) {
        vx_hist_add(&times, us);
        sum += (double)us;
    }
    vx_hist_add(&times, 5000000);
    sum += 5000000;
    CU_ASSERT(vx_hist_sum(&times) > sum * (1 - 1.0 / 128) && vx_hist_sum(&times) < sum * (1 + 1.0 / 128));
    char *text = vx_metrics_text(&(struct vx_metrics_source){ hist_table, NULL }, &bytes);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "test_hist_seconds_bucket{le=\"5e-06\"} 5\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "test_hist_seconds_bucket{le=\"5e-05\"} 50\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "test_hist_seconds_bucket{le=\"1\"} 1000\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "test_hist_seconds_bucket{le=\"+Inf\"} 1001\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "test_hist_seconds_count 1001\n"));
    unsigned buckets = 0;
    for (const char *at = text; (at = strstr(at, "_bucket")) != NULL; at++)
        buckets++;
    CU_ASSERT(buckets <= VX_METRIC_BUCKETS_MAX);
    free(text);
    static struct vx_hist part;
    vx_hist_from(&times, 1 << 16, &part);
    CU_ASSERT(part.count == 1 && part.max == 5000000);
    vx_hist_from(&times, 1ull << 40, &part);
    CU_ASSERT(part.count == 0 && part.max == 0 && vx_hist_sum(&part) == 0);
}

static void count_sample(void *into, const struct vx_metric_sample *sample)
{
    (void)sample;
    ++*(unsigned *)into;
}

static void groups_and_names_are_picked(void)
{
    double zero = 0;
    const struct vx_metrics_source source = { two_tables, &zero };
    static const struct {
        const char *group, *name;
        unsigned samples;
    } cases[] = { { NULL, NULL, 13 }, { "one", NULL, 3 }, { "two", NULL, 10 }, { "two", "test_lcores", 1 }, { "one", "test_lcores", 0 }, { NULL, "test_seconds", 5 }, { "none", NULL, 0 } };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned samples = 0;
        vx_metrics_gather(&source, cases[i].group, cases[i].name, count_sample, &samples);
        CU_ASSERT_EQUAL(samples, cases[i].samples);
    }
}

static void the_table_is_documented(void)
{
    char buffer[2048];
    CU_ASSERT(vx_metrics_markdown(two_tables, buffer, sizeof(buffer)) == strlen(buffer));
    CU_ASSERT_PTR_NOT_NULL(strstr(buffer, "| `test_things_total` | counter | `what` | one | things |\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(buffer, "| `test_duration_seconds` | summary |  | two | durations |\n"));
    CU_ASSERT(vx_metrics_markdown(two_tables, buffer, 40) >= 40); /* too small is told by the length */
}

/* HTTP. */

static char *status_json(void *context)
{
    (void)context;
    return strdup("{\"it\":\"is\"}");
}

static double base = 1;

/* A server on a port that is free. */
static struct vx_metrics_server *server_open(uint16_t *port)
{
    struct vx_metrics_server *server = NULL;
    struct vx_error error;
    for (*port = 20000 + (uint16_t)(getpid() % 20000); *port < 60000; ++*port) {
        const struct vx_metrics_config config = { .address = "127.0.0.1", .port = *port, .source = { two_tables, &base }, .status = status_json };
        int rc = vx_metrics_open(&config, &server, &error);
        if (rc == 0)
            return server;
        CU_ASSERT_EQUAL_FATAL(rc, -EADDRINUSE);
    }
    CU_FAIL_FATAL("no free port");
    return NULL;
}

static int client_open(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CU_ASSERT_FATAL(fd >= 0);
    (void)connect(fd, (const struct sockaddr *)&address, sizeof(address));
    return fd;
}

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Sends a request and turns the server until it has closed the connection, or for `seconds`; what came. */
static const char *ask(struct vx_metrics_server *server, uint16_t port, const char *request, double seconds)
{
    static char answer[1 << 16];
    size_t sent = 0, got = 0;
    int fd = client_open(port);
    for (double end = now_s() + seconds; now_s() < end; usleep(200)) {
        vx_metrics_poll(server);
        ssize_t done = sent < strlen(request) ? send(fd, request + sent, strlen(request) - sent, MSG_NOSIGNAL) : 0;
        sent += done > 0 ? (size_t)done : 0;
        done = recv(fd, answer + got, sizeof(answer) - 1 - got, 0);
        if (done == 0 || (done < 0 && errno == ECONNRESET))
            break;
        got += done > 0 ? (size_t)done : 0;
    }
    answer[got] = '\0';
    (void)close(fd);
    return answer;
}

#define CLOSE "Host: x\r\nConnection: close\r\n\r\n"
static void pages_and_refusals(void)
{
    static const struct {
        const char *request, *status, *holds;
    } cases[] = {
        { "GET /metrics HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200", "test_seconds_count{of=\"x\"} 7\n" },
        { "GET /metrics HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200", "text/plain; version=0.0.4" },
        { "GET / HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200", "fetch(\"/status.json\"" },
        { "GET / HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200", "Content-Security-Policy: default-src 'none'" },
        { "GET /status.json HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200", "{\"it\":\"is\"}" },
        { "HEAD /metrics HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200", "text/plain" },
        { "GET /metricsx HTTP/1.1\r\n" CLOSE, "HTTP/1.1 404", "nothing here" },
        { "GET /../etc/passwd HTTP/1.1\r\n" CLOSE, "HTTP/1.1 404", "nothing here" },
        { "POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n" CLOSE "abc", "HTTP/1.1 405", "Allow: GET, HEAD" },
        { "BREW /metrics HTTP/1.1\r\n" CLOSE, "HTTP/1.1 405", "Allow: GET, HEAD" },
        { "GET /metrics HTTP/1.1\r\nContent-Length: 3\r\n" CLOSE "abc", "HTTP/1.1 200", "test_things_total" },
        { "nonsense\r\n\r\n", "HTTP/1.", "" },
    };
    uint16_t port;
    struct vx_metrics_server *server = server_open(&port);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *answer = ask(server, port, cases[i].request, 5);
        bool good = (answer[0] == '\0' && i + 1 == sizeof(cases) / sizeof(cases[0])) || (strncmp(answer, cases[i].status, strlen(cases[i].status)) == 0 && strstr(answer, cases[i].holds) != NULL);
        if (!good)
            (void)printf("\n%s got: %.300s\n", cases[i].request, answer);
        CU_ASSERT(good);
    }
    vx_metrics_close(server);
}

static void what_is_wrong_with_the_port_is_said(void)
{
    uint16_t port;
    struct vx_metrics_server *server = server_open(&port), *other = NULL;
    struct vx_metrics_config config = { .address = "127.0.0.1", .port = port, .source = { two_tables, &base }, .status = status_json };
    struct vx_error error;
    CU_ASSERT_EQUAL(vx_metrics_open(&config, &other, &error), -EADDRINUSE);
    CU_ASSERT(strstr(error.text, "metrics.port: cannot listen on 127.0.0.1 port ") != NULL && strstr(error.text, "Address already in use") != NULL);
    config.address = "localhost";
    CU_ASSERT_EQUAL(vx_metrics_open(&config, &other, &error), -EINVAL);
    CU_ASSERT(strstr(error.text, "metrics.address: \"localhost\"") != NULL);
    config.address = "192.0.2.1";
    CU_ASSERT_EQUAL(vx_metrics_open(&config, &other, &error), -EADDRNOTAVAIL);
    vx_metrics_close(server);
    config.address = "127.0.0.1"; /* free again, though its last connections are not forgotten yet */
    CU_ASSERT_EQUAL_FATAL(vx_metrics_open(&config, &other, &error), 0);
    vx_metrics_close(other);
}

/* A thousand who say nothing, and some who ask and never read: the server never waits, and after their time is up answers. */
static void hostile_clients_cost_their_own_time(void)
{
    enum { CLIENTS = 1000 };
    static int fds[CLIENTS];
    struct rlimit files;
    uint16_t port;
    (void)getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    struct vx_metrics_server *server = server_open(&port);
    for (unsigned i = 0; i < CLIENTS; i++) {
        fds[i] = client_open(port);
        vx_metrics_poll(server);
        if (i < 20)
            for (unsigned times_asked = 0; times_asked < 100; times_asked++)
                (void)send(fds[i], "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, MSG_NOSIGNAL);
    }
    double longest = 0;
    for (double end = now_s() + 1; now_s() < end; usleep(200)) {
        double began = now_s();
        vx_metrics_poll(server);
        longest = now_s() - began > longest ? now_s() - began : longest;
    }
    CU_ASSERT(longest < 0.5); /* it does not wait for anybody: a machine may take the CPU away meanwhile */
    for (unsigned i = 0; i < CLIENTS; i++)
        if (i % 4 != 0) /* the rest hold on until their time is up */
            (void)close(fds[i]);
    CU_ASSERT(strstr(ask(server, port, "GET /metrics HTTP/1.1\r\n" CLOSE, 20), "test_seconds_count") != NULL);
    for (unsigned i = 0; i < CLIENTS; i += 4)
        (void)close(fds[i]);
    vx_metrics_close(server);
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "text is what Prometheus reads", text_is_what_prometheus_reads },
        { "histograms keep count and sum", histograms_keep_count_and_sum },
        { "groups and names are picked", groups_and_names_are_picked },
        { "the table is documented", the_table_is_documented },
        { "pages and refusals", pages_and_refusals },
        { "what is wrong with the port is said", what_is_wrong_with_the_port_is_said },
        { "hostile clients cost their own time", hostile_clients_cost_their_own_time },
    };
    return vx_test_main("metrics", tests, sizeof(tests) / sizeof(tests[0]));
}
