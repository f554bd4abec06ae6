/*
 * No space around an option's =.
 * @needs: root
 */
#pragma D option bufsize = 4m
BEGIN { }
