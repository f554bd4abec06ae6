/*
 * A member of an undefined struct.
 * @args: -x errtags -e
 * @exit: 1
 */
struct lkd_none;
struct lkd_t { struct lkd_none inner; };
BEGIN { }
