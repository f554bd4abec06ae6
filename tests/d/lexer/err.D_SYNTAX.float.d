/*
 * D has no floating-point constants.
 * @needs: root
 */
BEGIN { trace(1.5); }
