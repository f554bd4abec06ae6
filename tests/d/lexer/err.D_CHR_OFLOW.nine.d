/*
 * Eight bytes are as many as an integer holds.
 * @needs: root
 */
BEGIN { trace('123456789'); }
