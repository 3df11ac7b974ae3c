check(JavaVersion.current() >= JavaVersion.VERSION_17) {
    "Gradle runs on Java ${JavaVersion.current()}; set Android Studio's Gradle JDK to 17 or newer."
}

pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}

dependencyResolutionManagement {
    repositoriesMode = RepositoriesMode.FAIL_ON_PROJECT_REPOS
    repositories {
        google()
        mavenCentral()
    }
}

rootProject.name = "irnet-demo"
include(":app", ":core", ":lce-delegate")
