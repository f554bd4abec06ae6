/*
 * #error is the script's own word.
 * @needs: root
 */
#error not on this machine
BEGIN { }
