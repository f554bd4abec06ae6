/*
 * An octal constant has no digit 9.
 * @needs: root
 */
BEGIN { trace(019); }
