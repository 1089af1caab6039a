/* Runs one CUnit suite as a program: 0 when every assertion held. */
#ifndef VX_TEST_H
#define VX_TEST_H

#include <CUnit/Basic.h>

struct vx_test {
    const char *name;
    void (*run)(void);
};

static inline int vx_test_main(const char *suite_name, const struct vx_test *tests, unsigned count)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 2;
    CU_pSuite suite = CU_add_suite(suite_name, NULL, NULL);
    for (unsigned i = 0; i < count; i++)
        if (suite == NULL || CU_add_test(suite, tests[i].name, tests[i].run) == NULL)
            return 2;
    CU_basic_set_mode(CU_BRM_VERBOSE);
    (void)CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed == 0 ? 0 : 1;
}

#endif
