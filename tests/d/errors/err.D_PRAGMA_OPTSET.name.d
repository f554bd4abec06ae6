/*
 * An option that does not exist; the nearest is named.
 * @args: -x errtags -e
 * @exit: 1
 */
#pragma D option qiuet
BEGIN { }
