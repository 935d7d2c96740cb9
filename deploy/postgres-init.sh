#!/bin/bash
# Runs once in a fresh postgres container: the login role of the services, which is no superuser, and its database.
set -euo pipefail
psql -v ON_ERROR_STOP=1 -v password="$BALLAST_DATABASE_PASSWORD" -U postgres -d postgres <<'SQL'
CREATE ROLE ballast LOGIN CREATEROLE PASSWORD :'password';
CREATE DATABASE ballast OWNER ballast;
SQL
psql -v ON_ERROR_STOP=1 -U postgres -d ballast -c 'ALTER SCHEMA public OWNER TO ballast'
